package lifecycle_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"log"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// canary is a token that nobody was ever given.
const canary = "C0FFEE00C0FFEE00C0FFEE00C0FFEE00-CANARY0CANARY0CANARY0CANARY0CAN"

// leaks reports whether a text gives the canary away, in whatever spelling.
func leaks(text string) bool {
	for _, spelling := range []string{
		canary, strings.ToLower(canary),
		hex.EncodeToString([]byte(canary)), strings.ToUpper(hex.EncodeToString([]byte(canary))),
		fmt.Sprintf("% x", canary), fmt.Sprintf("% X", canary), fmt.Sprint([]byte(canary)),
		base64.StdEncoding.EncodeToString([]byte(canary))[:64],
	} {
		if strings.Contains(text, spelling) {
			return true
		}
	}
	return false
}

// holder holds a secret in all the ways in which a struct can.
type holder[T any] struct {
	Field   T
	hidden  T
	Pointer *T
	Slice   []T
	Any     any
	Nested  struct{ Inner T }
}

func held[T any](v T) holder[T] {
	h := holder[T]{Field: v, hidden: v, Pointer: &v, Slice: []T{v}, Any: v}
	h.Nested.Inner = v
	return h
}

// outlets are ways out of a process. Each returns all that it wrote, its error included.
func outlets() map[string]func(v any) string {
	all := map[string]func(v any) string{
		"log": func(v any) string {
			return written(func(b *bytes.Buffer) error { log.New(b, "", 0).Print(v); return nil })
		},
		"println": func(v any) string { return fmt.Sprintln(v, "and", v) },
		"panic":   func(v any) string { return recovered(func() { panic(v) }) },
		"error": func(v any) string {
			return errors.Join(fmt.Errorf("wrapped: %w, %v", ErrNewer, v), errors.New("more")).Error()
		},
		"json": func(v any) string {
			return written(func(b *bytes.Buffer) error { return json.NewEncoder(b).Encode(v) })
		},
		"json v2":  func(v any) string { return written(func(b *bytes.Buffer) error { return jsonv2.MarshalWrite(b, v) }) },
		"xml":      func(v any) string { return written(func(b *bytes.Buffer) error { return xml.NewEncoder(b).Encode(v) }) },
		"gob":      func(v any) string { return written(func(b *bytes.Buffer) error { return gob.NewEncoder(b).Encode(v) }) },
		"template": func(v any) string { return templated(v) },
		"cmp":      func(v any) string { return cmp.Diff(v, nil) },
		"reflect":  func(v any) string { return strings.Join(reachable(reflect.ValueOf(v), 8), " ") },
	}
	for _, verb := range "vsqxXdtbcoOUeEfFgGpw" {
		for _, flags := range []string{"", "+", "#", "80", "-80", ".200", " ", "0"} {
			format := "%" + flags + string(verb)
			all["fmt "+format] = func(v any) string { return fmt.Sprintf(format, v) }
		}
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		for what, attr := range map[string]func(v any) slog.Attr{
			"attribute": func(v any) slog.Attr { return slog.Any("t", v) },
			"group":     func(v any) slog.Attr { return slog.Group("g", "t", v) },
			"map":       func(v any) slog.Attr { return slog.Any("m", map[string]any{"t": v}) },
			"slice":     func(v any) slog.Attr { return slog.Any("s", []any{v, &v}) },
			"error":     func(v any) slog.Attr { return slog.Any("err", fmt.Errorf("failed with %v", v)) },
		} {
			all["slog "+name+" "+what] = func(v any) string {
				return written(func(b *bytes.Buffer) error {
					logger := slog.New(handler(b))
					logger.LogAttrs(context.Background(), slog.LevelError, "m", attr(v))
					logger.With("k", v).WithGroup("g").Error("m", "again", v)
					return nil
				})
			}
		}
	}
	return all
}

func written(write func(*bytes.Buffer) error) string {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		b.WriteString(err.Error())
	}
	return b.String()
}

func recovered(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

func templated(v any) string {
	t := template.Must(template.New("").Parse(`{{.}} {{printf "%v" .}} {{js .}}`))
	return written(func(b *bytes.Buffer) error { return t.Execute(b, v) })
}

// reachable returns every string that reflection finds in a value, unexported
// fields included.
func reachable(v reflect.Value, depth int) (found []string) {
	if depth == 0 {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		found = append(found, v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			found = reachable(v.Elem(), depth-1)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			found = append(found, reachable(field, depth-1)...)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			found = append(found, reachable(v.Index(i), depth-1)...)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			found = append(found, reachable(v.MapIndex(key), depth-1)...)
		}
	}
	return found
}

// naked is what a Token must not be.
type naked string

func TestTokenDoesNotLeak(t *testing.T) {
	all := outlets()
	forms := func(v any, h, p any) map[string]any {
		return map[string]any{"itself": v, "in a struct": h, "behind a pointer": p}
	}
	secret, bare := NewToken(canary), naked(canary)
	hs, hb := held(secret), held(bare)
	bites := make(map[string]bool)
	for name, outlet := range all {
		for form, v := range forms(secret, hs, &hs) {
			if text := outlet(v); leaks(text) {
				t.Errorf("%s: %s: the token leaks: %s", name, form, text)
			}
		}
		for _, v := range forms(bare, hb, &hb) {
			bites[name] = bites[name] || leaks(outlet(v))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !bites[name] {
			t.Errorf("%s would not notice a leak", name)
		}
	}
	_ = hs.hidden
}

// TestTokenInACrash looks at what the runtime prints of a panic.
func TestTokenInACrash(t *testing.T) {
	const variable = "KEYRACK_TEST_CRASH"
	switch os.Getenv(variable) {
	case "token":
		panic(NewToken(canary))
	case "struct":
		panic(held(NewToken(canary)))
	case "naked":
		panic(naked(canary))
	}
	for crash, want := range map[string]bool{"token": false, "struct": false, "naked": true} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTokenInACrash$")
		cmd.Env = append(os.Environ(), variable+"="+crash)
		out, err := cmd.CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte("panic: ")) {
			t.Fatalf("%s: no panic: %v", crash, err)
		}
		if leaks(string(out)) != want {
			t.Errorf("%s: leaks: %v", crash, !want)
		}
	}
}

func TestTokenIsNotMarshalled(t *testing.T) {
	token := NewToken(canary)
	for name, marshal := range map[string]func() ([]byte, error){
		"text":          token.MarshalText,
		"encoding/json": func() ([]byte, error) { return json.Marshal(token) },
		"json v2":       func() ([]byte, error) { return jsonv2.Marshal(token) },
		"a map's key":   func() ([]byte, error) { return json.Marshal(map[string]Token{"k": token}) },
	} {
		if b, err := marshal(); !errors.Is(err, ErrSecret) || len(b) != 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	// gob finds no field to encode.
	for name, value := range map[string]any{"gob": token, "gob, in a struct": struct{ Token Token }{token}} {
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(value); err == nil || leaks(b.String()) || leaks(err.Error()) {
			t.Errorf("%s: %q, %v", name, b.Bytes(), err)
		}
	}
}

func TestToken(t *testing.T) {
	token, zero := NewToken(canary), NewToken("")
	if token.Reveal() != canary || zero.Reveal() != "" || token.IsZero() || !zero.IsZero() {
		t.Error("a token does not reveal what it was made of")
	}
	if !token.Equal(NewToken(canary)) || token.Equal(NewToken(canary+"X")) || token.Equal(zero) || !zero.Equal(Token{}) {
		t.Error("Equal does not compare")
	}
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%q", token), token.LogValue().String()} {
		if text != "[token]" {
			t.Errorf("a token is shown as %q", text)
		}
	}
	if fmt.Sprint(token) == fmt.Sprint(zero) || fmt.Sprintf("%#v", token) == fmt.Sprintf("%#v", zero) {
		t.Error("a token cannot be told from none")
	}
}
