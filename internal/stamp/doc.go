// Package stamp proves who wrote what lies in a store: somebody with the sealing key.
//
//	record, base   {…,"Stamp":"<link> <parts><code>"}   of an integration, at a version
//	decision       {…,"Stamp":"<link> <parts><code>"}   of an entry, with its evidence
//
// A stamp stands at the end of the bytes that a store keeps, so no store has to know of it,
// and a former version that writes a record writes it without one. The code is a MAC over
// the bytes, the integration, the version, the entry's id, the link and the parts.
//
// The link of a record is the entry that made its version, and that of an entry the one
// before it. So the entries of an integration form a chain that ends in its record and
// begins in its base: none can be changed, exchanged, moved, or left out in the middle. A
// beginning that was trimmed leaves the rest verifiable. The parts say what was sealed with
// an entry, a body or a token. These are bound to the entry or the digest by themselves, so
// erasing them leaves the rest verifiable as well, and it can be told that they are gone.
//
// What former versions wrote has no stamp. A [Mark] says from where on one is required.
package stamp
