package console

// Plain is shown to tests.
var Plain = plain
