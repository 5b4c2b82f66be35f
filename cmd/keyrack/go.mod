module github.com/keyrack-dev/keyrack/cmd/keyrack

go 1.26

require (
	github.com/google/go-cmp v0.7.0
	github.com/keyrack-dev/keyrack v0.0.0-00010101000000-000000000000
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
)

replace github.com/keyrack-dev/keyrack => ../..
