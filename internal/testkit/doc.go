// Package testkit has what the tests of all modules share: golden files and the flag
// that rewrites them, names as Mews spells them, buffers that may be read while they are
// written, waiting, medians, and whether the race detector slows a test down. It imports
// none of ours, so that the tests of every package may use it, and nothing but the
// standard library, so that no module needs another module because of it.
package testkit
