package memstore_test

import (
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Harness{
		Open: func(*testing.T) store.Store { return memstore.New(nil) },
		Dump: func(_ *testing.T, s store.Store) []byte { return reachable(nil, reflect.ValueOf(s), map[any]bool{}) },
	}.Run(t)
}

// reachable appends all bytes that a value leads to: what the garbage collector
// keeps, spare capacity included.
func reachable(b []byte, v reflect.Value, seen map[any]bool) []byte {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return b
		}
		seen[v.Pointer()] = true
		return reachable(b, v.Elem(), seen)
	case reflect.Interface:
		return reachable(b, v.Elem(), seen)
	case reflect.Struct:
		for _, f := range v.Fields() {
			b = reachable(b, f, seen)
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			b = reachable(reachable(b, key, seen), value, seen)
		}
	case reflect.Slice:
		v = v.Slice(0, v.Cap())
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return append(b, v.Bytes()...)
		}
		for i := range v.Len() {
			b = reachable(b, v.Index(i), seen)
		}
	case reflect.String:
		return append(b, v.String()...)
	}
	return b
}

func TestLeaseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		one, err := s.Acquire(t.Context(), "name", "one", time.Minute)
		if err != nil || !one.Until.Equal(time.Now().Add(time.Minute)) {
			t.Fatalf("Acquire: until %v, error %v", one.Until, err)
		}
		time.Sleep(time.Minute - 1)
		if _, err := s.Acquire(t.Context(), "name", "two", time.Minute); err != store.ErrFenced {
			t.Errorf("a nanosecond before its end: got error %v, want %v", err, store.ErrFenced)
		}
		time.Sleep(time.Nanosecond)
		two, err := s.Acquire(t.Context(), "name", "two", time.Minute)
		if err != nil || two.Fence <= one.Fence {
			t.Errorf("at its end: fence %d after %d, error %v", two.Fence, one.Fence, err)
		}
	})
}
