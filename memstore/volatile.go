package memstore

// Volatile returns true: the store ends with the process, so its values may be sealed
// with a key that nobody keeps.
func (s *Store) Volatile() bool { return true }
