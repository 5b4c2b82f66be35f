package belief

// Size returns how many arrivals are kept, and how many entries the front has.
func (s State) Size() (kept, front int) {
	h := s.history()
	return len(h.kept), len(h.front)
}
