module github.com/keyrack-dev/keyrack/store/storetest/crosscheck

go 1.26.0

replace (
	github.com/keyrack-dev/keyrack => ../../../
	github.com/keyrack-dev/keyrack/sqlitestore => ../../../sqlitestore
)

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/keyrack-dev/keyrack v0.0.0
	github.com/keyrack-dev/keyrack/sqlitestore v0.0.0
)

require (
	github.com/dustin/go-humanize v1.1.0 // indirect
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
	github.com/mattn/go-isatty v0.0.24 // indirect
	github.com/ncruces/go-strftime v1.1.0 // indirect
	github.com/remyoudompheng/bigfft v0.0.0-20230129092748-24d4a6f8daec // indirect
	golang.org/x/sys v0.49.0 // indirect
	modernc.org/libc v1.80.1 // indirect
	modernc.org/mathutil v1.7.1 // indirect
	modernc.org/memory v1.12.1 // indirect
	modernc.org/sqlite v1.62.0 // indirect
)
