package connector

// This file shows the tests the limiter that a Client has.

type Limiter = limiter

const (
	Limit  = requestLimit
	Window = requestWindow
)

var NewLimiter = newLimiter
