package keyrack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

// needles are the ways in which one of several texts could be written.
func needles(texts ...string) (all []string) {
	for _, text := range texts {
		all = append(all, text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text))), fmt.Sprintf("% x", text))
		// In base64 a text looks in three ways, by what stands before it.
		for shift := range 3 {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
			inner := encoded[(shift*8+5)/6 : len(encoded)-2]
			all = append(all, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
		}
		// As numbers, as fmt writes bytes.
		numbers := fmt.Sprint([]byte(text))
		inGo := fmt.Sprintf("%#v", []byte(text))
		all = append(all, numbers[1:len(numbers)-1], inGo[len("[]byte{"):len(inGo)-1])
	}
	return all
}

// A digest without a key gives the text away to anyone who can guess it.
func digests(texts ...string) (all []string) {
	for _, text := range texts {
		sum := sha256.Sum256([]byte(text))
		all = append(all, hex.EncodeToString(sum[:8]), strings.ToUpper(hex.EncodeToString(sum[:8])), base64.RawStdEncoding.EncodeToString(sum[:9]), string(sum[:8]))
	}
	return all
}

// search looks for canaries in what came out somewhere.
func search(t *testing.T, where, text string, needles []string) {
	t.Helper()
	for _, needle := range needles {
		if at := strings.Index(text, needle); at >= 0 {
			t.Errorf("%s shows a canary: …%q…", where, text[max(0, at-200):min(len(text), at+100)])
			return
		}
	}
}

// formats are the verbs that fmt has for anything.
var formats = []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%T"}

// look formats, logs and marshals a value in every way, and calls found.
func look(v any, found func(how, text string)) {
	type hidden struct{ v any }
	type Shown struct{ V any }
	shapes := map[string]any{
		"": v, "in a field": Shown{v}, "in an unexported field": hidden{v}, "in a slice": []any{v}, "in a map": map[string]any{"k": v},
	}
	for shape, v := range shapes {
		for _, format := range formats {
			found(format+" "+shape, fmt.Sprintf(format, v))
		}
		var text, structured bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewJSONHandler(&structured, nil)).Info("m", "v", v, slog.Group("g", "v", v))
		found("slog, text "+shape, text.String())
		found("slog, JSON "+shape, structured.String())
		if b, err := json.Marshal(v); err != nil {
			found("the error of encoding/json "+shape, err.Error())
		} else {
			found("encoding/json "+shape, string(b))
		}
		if b, err := jsonv2.Marshal(v); err != nil {
			found("the error of json v2 "+shape, err.Error())
		} else {
			found("json v2 "+shape, string(b))
		}
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(v); err != nil {
			found("the error of gob "+shape, err.Error())
		}
		found("gob "+shape, b.String())
		if x, err := xml.Marshal(v); err != nil {
			found("the error of encoding/xml "+shape, err.Error())
		} else {
			found("encoding/xml "+shape, string(x))
		}
	}
}

// dump writes down every string and every byte that can be reached from a value,
// whatever is exported, behind every pointer.
func dump(v any) string {
	var b strings.Builder
	seen := map[visit]bool{}
	walk(reflect.ValueOf(v), &b, seen)
	return b.String()
}

type visit struct {
	at uintptr
	of reflect.Type
}

func walk(v reflect.Value, b *strings.Builder, seen map[visit]bool) {
	if !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		b.WriteString(v.String() + "\n")
	case reflect.Pointer, reflect.Map:
		if v.IsNil() || seen[visit{v.Pointer(), v.Type()}] {
			return
		}
		seen[visit{v.Pointer(), v.Type()}] = true
		if v.Kind() == reflect.Pointer {
			walk(v.Elem(), b, seen)
			return
		}
		for entries := v.MapRange(); entries.Next(); {
			walk(entries.Key(), b, seen)
			walk(entries.Value(), b, seen)
		}
	case reflect.Interface:
		walk(v.Elem(), b, seen)
	case reflect.Struct:
		for _, field := range v.Fields() {
			walk(field, b, seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			for i := range v.Len() {
				b.WriteByte(byte(v.Index(i).Uint()))
			}
			b.WriteByte('\n')
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), b, seen)
		}
	}
}
