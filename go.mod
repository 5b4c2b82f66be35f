module github.com/keyrack-dev/keyrack

go 1.26

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)
