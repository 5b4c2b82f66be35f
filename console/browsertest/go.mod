module github.com/keyrack-dev/keyrack/console/browsertest

go 1.26

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/keyrack-dev/keyrack v0.0.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/looplab/fsm v1.0.3 // indirect
)

replace github.com/keyrack-dev/keyrack => ../..
