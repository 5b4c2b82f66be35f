// Package join brings the records of one integration together that a store holds under
// several spellings of its id. Former versions kept an id as it came, so an import in
// capitals and a webhook in lower case made two integrations.
//
//	{4E1F0C62-…}  journal, tokens ──┐
//	                                ├──► fold ──► 4e1f0c62-…  one record, all tokens
//	4e1f0c62-…    journal, tokens ──┘
//
// The record is the fold of all journals in the order of arrival, as if everything had
// come under one id. It is committed under the canonical spelling as evidence of its own
// (lifecycle.KindJoin). What is under another spelling is emptied; its journal stays, and
// is part of the history.
//
// A token's digest has one owner, so it must be given up before it can be taken over. In
// between the tokens lie in a stash, a sealed value with a name. Any step may be the last
// one before a crash, and several instances may join at once: each step is a
// compare-and-set, and an instance that finds a stash finishes what it says.
//
//	two records ──► stash written ──► other spellings emptied ──► joined ──► stash emptied
package join
