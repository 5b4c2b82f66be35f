package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/looplab/fsm"
	"github.com/qmuntal/stateless"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// A life is what happens to an integration in turn; the machine that others would
// declare has the moves below.
type move struct{ from, action, to string }

func moves() (all []move) {
	for m := range strings.FieldsSeq(`
		unseen:created:on on:disabled:off off:enabled:on on:canceled:gone-on off:canceled:gone-off
		gone-on:reinstated:on gone-off:reinstated:off gone-on:disabled:gone-off gone-off:enabled:gone-on
		on:deleted:deleted off:deleted:deleted gone-on:deleted:deleted gone-off:deleted:deleted`) {
		f := strings.Split(m, ":")
		all = append(all, move{f[0], f[1], f[2]})
	}
	return all
}

var life = []struct {
	name   string
	action lifecycle.Action
	after  string
}{
	{"created", lifecycle.IntegrationCreated, "on"},
	{"disabled", lifecycle.IntegrationDisabled, "off"},
	{"enabled", lifecycle.IntegrationEnabled, "on"},
	{"canceled", lifecycle.IntegrationCanceled, "gone-on"},
	{"reinstated", lifecycle.IntegrationReinstated, "on"},
	{"deleted", lifecycle.IntegrationDeleted, "deleted"},
}

func bySwitch(state, action string) string {
	switch action {
	case "created":
		if state == "unseen" {
			return "on"
		}
	case "disabled":
		switch state {
		case "on":
			return "off"
		case "gone-on":
			return "gone-off"
		}
	case "enabled":
		switch state {
		case "off":
			return "on"
		case "gone-off":
			return "gone-on"
		}
	case "canceled":
		switch state {
		case "on":
			return "gone-on"
		case "off":
			return "gone-off"
		}
	case "reinstated":
		switch state {
		case "gone-on":
			return "on"
		case "gone-off":
			return "off"
		}
	case "deleted":
		return "deleted"
	}
	return state
}

func looplab() *fsm.FSM {
	var all fsm.Events
	for _, m := range moves() {
		all = append(all, fsm.EventDesc{Name: m.action, Src: []string{m.from}, Dst: m.to})
	}
	return fsm.NewFSM("unseen", all, nil)
}

func qmuntal(state *string) *stateless.StateMachine {
	machine := stateless.NewStateMachineWithExternalStorage(
		func(context.Context) (stateless.State, error) { return *state, nil },
		func(_ context.Context, s stateless.State) error { *state = s.(string); return nil },
		stateless.FiringImmediate)
	for _, m := range moves() {
		machine.Configure(m.from).Permit(m.action, m.to)
	}
	return machine
}

// transitions races machines over the life of an integration. Keyrack's row is a whole
// Record.Apply, which keeps tokens and works out what is certain besides.
func transitions(d time.Duration) (table, error) {
	// each walks through lives with a step from one state to the next.
	each := func(name string, n int, step func(state, action string) (string, error)) way {
		return way{name: name, batch: func() error {
			for range n {
				state := "unseen"
				for i := range life {
					next, err := step(state, life[i].name)
					if err != nil || next != life[i].after {
						return fmt.Errorf("%s after %s is %s: %v", life[i].name, state, next, err)
					}
					state = next
				}
			}
			return nil
		}}
	}
	const lives = 50
	pooled, current := looplab(), ""
	external := qmuntal(&current)
	ctx := context.Background()
	born := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	token := lifecycle.Digest{1}
	rows, err := race(d, lives, []way{
		each("a switch", lives, func(s, a string) (string, error) { return bySwitch(s, a), nil }),
		each("looplab/fsm, one for each event", lives, func(s, a string) (string, error) {
			m := looplab()
			m.SetState(s)
			err := m.Event(ctx, a)
			return m.Current(), err
		}),
		each("looplab/fsm, one for all", lives, func(s, a string) (string, error) {
			pooled.SetState(s)
			err := pooled.Event(ctx, a)
			return pooled.Current(), err
		}),
		each("stateless, one for each event", lives, func(s, a string) (string, error) {
			m := qmuntal(&s)
			err := m.Fire(a)
			return s, err
		}),
		each("stateless, one for all", lives, func(s, a string) (string, error) {
			current = s
			err := external.Fire(a)
			return current, err
		}),
		{name: "keyrack, a whole Apply", batch: func() error {
			for range lives {
				var r lifecycle.Record
				for i := range life {
					e := lifecycle.Evidence{
						Kind: lifecycle.KindDelivery, At: lifecycle.At(born.Add(time.Duration(i) * 24 * time.Hour)),
						Action: life[i].action, Integration: lifecycle.Named{ID: hotelInBody},
					}
					if i == 0 {
						e.Token, e.IsEnabled, e.CreatedUtc = token, lifecycle.Yes, lifecycle.At(born)
					}
					r, _ = r.Apply(e)
				}
				if r.State != lifecycle.Deleted || len(r.Keys) != 1 {
					return fmt.Errorf("the life ends as %v", r.State)
				}
			}
			return nil
		}},
	})
	return table{"Transitions", "A life of six deliveries. The others move between names; Apply keeps tokens, times and what is certain.", rows}, err
}
