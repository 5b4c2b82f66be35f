package api

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"
)

// BodyLimit is the largest body of a request, in bytes.
const BodyLimit = 64 << 10

// jsonShape is what is said about a body that cannot be read.
const jsonShape = "the body is not a complete JSON object as openapi.json describes it"

// readJSON reads the body of a request, or answers. shape says what the body must be.
func readJSON[T any](w http.ResponseWriter, req *http.Request, shape string) (value T, ok bool) {
	const form = "application/json"
	if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != form {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body must be "+form)
		return value, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, BodyLimit))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large")
		return value, false
	}
	if err == nil {
		err = json.Unmarshal(body, &value, json.RejectUnknownMembers(true))
	}
	if err != nil { // its text quotes the body
		refuse(w, http.StatusBadRequest, "invalid_request", shape)
		return value, false
	}
	return value, true
}
