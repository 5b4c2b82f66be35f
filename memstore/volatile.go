package memstore

// Volatile tells that the store ends with the process, so that it may be sealed
// with a key that nobody keeps.
func (s *Store) Volatile() bool { return true }
