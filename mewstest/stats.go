package mewstest

import "maps"

// Stats counts what happened in a World.
type Stats struct {
	Changes    int // of integrations and enterprises
	Messages   int // that report changes, without duplicates and what accompanies them
	Duplicates int
	Lost       int // never sent
	Discarded  int // after their last attempt
	Attempts   int
	Accepted   int         // attempts that the receiver answered with success
	Panics     int         // attempts that ended in a panic of the receiver's
	Leaks      int         // attempts that were redirected, body and token included
	Answers    map[int]int // attempts by the status of their answer; 0 for none
	Requests   map[int]int // to the Connector API, by the status of its answer; 0 for none
}

func (s *Stats) clone() Stats {
	c := *s
	c.Answers, c.Requests = maps.Clone(s.Answers), maps.Clone(s.Requests)
	return c
}

func (s *Stats) count(a Reply, reached bool) {
	if s.Answers == nil {
		s.Answers = map[int]int{}
	}
	s.Answers[a.Status]++
	if reached {
		s.Accepted++
	}
	if a.Trouble == troublePanic {
		s.Panics++
	}
	if a.Redirected > 0 {
		s.Leaks++
	}
}

func (s *Stats) request(status int) {
	if s.Requests == nil {
		s.Requests = map[int]int{}
	}
	s.Requests[status]++
}
