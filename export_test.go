package keyrack

// What tests outside the package need of its inside.

// ParseEntry reads an entry of a store's journal.
var ParseEntry = parseEntry

// NoteAnswers notes at once what the background would note within a second.
func (r *Rack) NoteAnswers() { r.flushAnswers() }
