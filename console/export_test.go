package console

// Plain and Sentence are shown to tests.
var (
	Plain    = plain
	Sentence = sentence
)
