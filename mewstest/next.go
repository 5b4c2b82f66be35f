package mewstest

import "time"

// Fate is what becomes of one message, beside what Faults make of it.
type Fate struct {
	// Lose: it is never sent.
	Lose bool
	// Duplicate: it is sent twice, byte for byte, the second time Faults.CopyAfter later.
	Duplicate bool
	// Delay is how much later it is sent than otherwise, in no order.
	Delay time.Duration
	// Reorder: it waits until the first attempt of the next message has been made,
	// whatever integration that is about.
	Reorder bool
}

// Next decides the fate of the next message that tells of a change; further calls before
// it decide those of the ones after it. It has no effect on messages that Options.Manual
// holds, but that Lose drops them.
func (w *World) Next(f Fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fates = append(w.fates, f)
}

// nextFate takes the fate of the message that is being made. w.mu is held.
func (w *World) nextFate() Fate {
	if len(w.fates) == 0 {
		return Fate{}
	}
	f := w.fates[0]
	w.fates = w.fates[1:]
	return f
}

// overtaken puts the messages that wait for a next one behind it. w.mu is held.
func (w *World) overtaken(by *Message) {
	for _, m := range w.overtakable {
		if m.state == overtakable {
			m.set(planned)
			m.follows = by
			w.send(m, 0)
		}
	}
	w.overtakable = nil
}
