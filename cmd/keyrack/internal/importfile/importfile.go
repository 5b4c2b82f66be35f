// Package importfile reads the file that keyrack import takes: integrations with their
// tokens, as CSV or JSON Lines.
//
// Read yields a Record for each line. A line that cannot be read has a Problem, and the
// lines after it are read all the same. No Problem and no error quotes the file, which
// holds tokens.
package importfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/internal/typed"
)

// Record is one line of the file. If Problem is not empty, the other fields mean nothing, but
// for Line and perhaps Integration.
type Record struct {
	Line        int
	Integration string
	Request     api.ImportRequest
	Problem     string // why the line cannot be imported
}

// jsonRecord is a record of JSON Lines.
type jsonRecord struct {
	Integration string `json:"integration"`
	api.ImportRequest
}

// columns are the names that the columns of CSV may have.
var columns = []string{
	"integration", "integration_name", "enterprise", "enterprise_name", "service", "service_name", "token", "labels", "disabled", "created_utc",
}

// Read yields the integrations of a file: JSON Lines if it begins with a brace, else CSV. What
// ends it early is in failed.
func Read(in io.Reader, failed *error) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		text := bufio.NewReader(in)
		if mark, _ := text.Peek(3); string(mark) == "\ufeff" { // of a spreadsheet
			_, _ = text.Discard(3)
		}
		first, err := firstByte(text)
		switch {
		case errors.Is(err, io.EOF):
			*failed = errors.New("the file is empty")
		case err != nil:
			*failed = err
		case first == '{':
			readJSONRecords(text, failed)(yield)
		default:
			readCSVRecords(text, failed)(yield)
		}
	}
}

// firstByte returns the first byte that is not white space, without consuming it.
func firstByte(text *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		ahead, err := text.Peek(n)
		if len(ahead) < n {
			return 0, err
		}
		if b := ahead[n-1]; !bytes.ContainsRune([]byte(" \t\r\n"), rune(b)) {
			return b, nil
		}
	}
}

func readJSONRecords(text io.Reader, failed *error) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for n, line := range files.Lines(text, failed) {
			var j jsonRecord
			r := Record{Line: n}
			if err := json.Unmarshal(line, &j, json.RejectUnknownMembers(true)); err != nil {
				r.Problem = "not a JSON object with the names that keyrack import --help lists"
			} else {
				r.Integration, r.Request = j.Integration, j.ImportRequest
				r.check()
			}
			if !yield(r) {
				return
			}
		}
	}
}

func readCSVRecords(text *bufio.Reader, failed *error) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		reader := csv.NewReader(text)
		reader.Comma = separator(text)
		reader.FieldsPerRecord = -1
		reader.TrimLeadingSpace = true
		names, err := reader.Read()
		if err == nil {
			names, err = columnsOf(names)
		} else {
			err = fmt.Errorf("the first line is not CSV; it must name the columns: %s", strings.Join(columns, ", "))
		}
		if err != nil {
			*failed = err
			return
		}
		for {
			fields, err := reader.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var broken *csv.ParseError
			switch {
			case errors.As(err, &broken):
				if !yield(Record{Line: broken.StartLine, Problem: "not CSV: " + broken.Err.Error()}) {
					return
				}
			case err != nil:
				*failed = err
				return
			default:
				line, _ := reader.FieldPos(0)
				if !yield(recordOf(line, names, fields)) {
					return
				}
			}
		}
	}
}

// columnsOf returns the columns that the first line names, in capitals or not, with blanks or
// dashes for underscores. Its errors say which column is wrong by its number: a file without
// such a line begins with a token.
func columnsOf(first []string) ([]string, error) {
	names := make([]string, len(first))
	unknown := 0
	for i, name := range first {
		names[i] = strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
		if !slices.Contains(columns, names[i]) {
			unknown++
		}
	}
	if unknown == len(names) {
		return nil, fmt.Errorf("the first line must name the columns; they are %s", strings.Join(columns, ", "))
	}
	for i, name := range names {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("column %d has a name that is not known; the names are %s", i+1, strings.Join(columns, ", "))
		}
		if j := slices.Index(names, name); j != i {
			return nil, fmt.Errorf("the columns %d and %d are both named %s; remove one", j+1, i+1, name)
		}
	}
	for _, required := range []string{"integration", "token"} {
		if !slices.Contains(names, required) {
			return nil, fmt.Errorf("no column is named %s; see keyrack import --help", required)
		}
	}
	return names, nil
}

// separator returns the comma, or what spreadsheets of some countries write instead.
func separator(text *bufio.Reader) rune {
	ahead, _ := text.Peek(text.Buffered())
	first, _, _ := bytes.Cut(bytes.TrimLeft(ahead, "\r\n"), []byte("\n"))
	for _, s := range []string{",", ";", "\t"} {
		if bytes.Contains(first, []byte(s)) {
			return rune(s[0])
		}
	}
	return ','
}

// recordOf makes a Record of the fields of a line.
func recordOf(line int, names, fields []string) Record {
	r := Record{Line: line}
	if len(fields) != len(names) {
		r.Problem = "it has " + strconv.Itoa(len(fields)) + " fields, but the first line has " + strconv.Itoa(len(names))
		return r
	}
	for i, name := range names {
		value := fields[i]
		switch name {
		case "integration":
			r.Integration = value
		case "integration_name":
			r.Request.Name = value
		case "enterprise":
			r.Request.Enterprise = value
		case "enterprise_name":
			r.Request.EnterpriseName = value
		case "service":
			r.Request.Service = value
		case "service_name":
			r.Request.ServiceName = value
		case "token":
			r.Request.Token = value
		case "labels":
			if value == "" {
				continue
			}
			labels, err := api.ParseLabels(strings.Join(strings.Fields(value), ","))
			if err != nil {
				r.Problem = "labels must be key=value, with blanks or commas between; see keyrack label --help"
			}
			r.Request.Labels = labels
		case "disabled":
			disabled, err := strconv.ParseBool(strings.ToLower(value))
			if value != "" && err != nil {
				r.Problem = "disabled must be true or false"
			}
			r.Request.Disabled = disabled
		case "created_utc":
			at, err := time.Parse(time.RFC3339, value)
			if value != "" && err != nil {
				r.Problem = "created_utc must be a time such as 2019-12-13T14:42:52Z"
			}
			r.Request.CreatedUtc = at
		}
	}
	if r.Problem == "" {
		r.check()
	}
	return r
}

// check brings a record into shape, and sets the Problem of one that cannot be imported.
func (r *Record) check() {
	r.Integration = typed.ID(r.Integration)
	r.Request.Enterprise, r.Request.Service = typed.ID(r.Request.Enterprise), typed.ID(r.Request.Service)
	token, err := typed.Token(r.Request.Token)
	if err == nil {
		r.Request.Token = token.Reveal()
	}
	switch {
	case r.Integration == "" && (r.Request.Name != "" || r.Request.Disabled || !r.Request.CreatedUtc.IsZero()):
		r.Problem = "without an id there can be no integration_name, disabled or created_utc"
	case r.Integration != "" && !api.ValidIdentifier(r.Integration), r.Integration == ".", r.Integration == "..":
		r.Problem, r.Integration = "the id of the integration is not valid", ""
	case r.Request.Token == "":
		r.Problem = "the token is missing"
	case err != nil:
		r.Problem = "the token is not valid: " + err.Error()
	case r.Integration == r.Request.Token, isGUID(r.Request.Token) && r.Integration != "" && !isGUID(r.Integration):
		r.Problem, r.Integration = "the id looks like the token, and the token like an id", "" // not to be printed
	}
}

// isGUID reports whether an identifier is written as Mews writes its own.
func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(strings.ToLower(s)) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return true
}
