package memstore

// DefaultJournalLimit is shown to the benchmarks.
const DefaultJournalLimit = defaultJournalLimit
