package api

import (
	"encoding/base64"
	"strconv"
	"strings"
)

const (
	defaultLimit = 100 // rows on a page
	MaxPage      = 1000
)

// A cursor is opaque to clients. It holds a mark that says what it points to, and the last
// item of the page.
const (
	idCursor    = "id:"
	entryCursor = "entry:"
)

func newCursor(mark, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(mark + last))
}

func readCursor(mark, cursor string) (last string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	last, ok := strings.CutPrefix(string(text), mark)
	if err == nil && !ok {
		err = strconv.ErrSyntax
	}
	return last, err
}

func parseLimit(text string) (limit int, err error) {
	limit, err = strconv.Atoi(text)
	if err == nil && (limit < 1 || limit > MaxPage) {
		err = strconv.ErrRange
	}
	return limit, err
}
