// Package owncall uses the application's own calls in place of probes, where there is no
// prober. It takes calls and their answers, and decides whether a call may be made although
// the verdict on its token is Unknown, and which 401s are about the token.
//
//	call ──▶ Trials.Begin ──▶ Mews ──▶ Trials.End
//	         (one at a time,           (after a 401 not again
//	          with back-off)            before 1, 5, 30 min, 2 h)
//
//	other's 200      401 of an operation that worked      another's 200
//	     └── within a minute ──┴────── within a minute ───────┘  ──▶ Trials.Heard: rejected
//
// Everything is kept in memory alone: after a restart the first call is tried again.
package owncall
