package view_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// whole compares unexported fields, too.
var whole = cmp.Exporter(func(reflect.Type) bool { return true })

// fill gives every slice that can be reached from v two elements, and every other
// field a value. It leaves unexported strings and numbers alone, which nobody can write
// to anyway.
func fill(t *testing.T, v reflect.Value) {
	if kind := v.Kind(); !v.CanSet() && (kind == reflect.String || kind <= reflect.Uint64) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2)) // panics for an unexported one: then Copy cannot copy it either
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.String:
		v.SetString("filled")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	default:
		t.Fatalf("a record has a %v: teach this test, and Copy, what to do with it", v.Type())
	}
}

// overwrite sets everything to zero that can be reached through the slices and
// pointers of v.
func overwrite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			overwrite(field)
		}
	case reflect.Slice:
		for i := range v.Len() {
			overwrite(v.Index(i))
			v.Index(i).SetZero()
		}
	case reflect.Pointer:
		overwrite(v.Elem())
		v.Elem().SetZero()
	}
}

// TestCopySharesNothing: whatever fields a record gets, a copy of it stays as it is
// when the original is written to.
func TestCopySharesNothing(t *testing.T) {
	var original, same lifecycle.Record
	fill(t, reflect.ValueOf(&original).Elem())
	fill(t, reflect.ValueOf(&same).Elem())
	c := view.Copy(&original)
	overwrite(reflect.ValueOf(&original).Elem())
	if diff := cmp.Diff(same, c, whole); diff != "" {
		t.Errorf("a copy shares memory with its original (-want +got):\n%s", diff)
	}
}
