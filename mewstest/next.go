package mewstest

import "time"

// Fate is what happens to one message, in addition to Faults.
type Fate struct {
	// Lose: the message is never sent.
	Lose bool
	// Duplicate: the message is sent twice, byte for byte, the second time
	// Faults.CopyAfter later.
	Duplicate bool
	// Delay is how much later than otherwise the message is sent, in no order.
	Delay time.Duration
	// Reorder: the message waits until the first attempt of the next message has been
	// made, whatever integration that is about.
	Reorder bool
}

// Next decides the fate of the next message that reports a change. Further calls decide
// the fates of the messages after it. For messages that Options.Manual holds it has no
// effect, except that Lose drops them.
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

// overtaken puts the messages that wait for the next one behind it. w.mu is held.
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
