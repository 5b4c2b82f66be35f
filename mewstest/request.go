package mewstest

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const apiPath = "/api/connector/v1/"

// call is the part of a request that is read.
type call struct {
	operation    string
	clientToken  string
	accessToken  string
	enterpriseID string
	body         []byte
}

// read reads a request. If the reply is not zero, it is the answer.
func read(req *http.Request) (what call, fault reply) {
	operation, ok := strings.CutPrefix(req.URL.Path, apiPath)
	resource, action, two := strings.Cut(operation, "/")
	if !ok || !two || resource == "" || action == "" || strings.Contains(action, "/") {
		return what, refuse(http.StatusNotFound, "Not found.")
	}
	what.operation = operation
	if req.Method != http.MethodPost {
		return what, refuse(http.StatusMethodNotAllowed, "Only POST is allowed.")
	}
	if kind, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return what, refuse(http.StatusBadRequest, "Content-Type must be application/json.")
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil {
		return what, refuse(http.StatusBadRequest, "Invalid JSON.")
	}
	var members map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &members) != nil || members == nil {
		return what, refuse(http.StatusBadRequest, "Invalid JSON.")
	}
	var client string
	for _, m := range []struct {
		name     string
		into     *string
		required bool
	}{
		{"ClientToken", &what.clientToken, true},
		{"AccessToken", &what.accessToken, true},
		{"Client", &client, true},
		{"EnterpriseId", &what.enterpriseID, false},
	} {
		if err := text(members[m.name], m.into); err != nil || m.required && *m.into == "" {
			return what, refuse(http.StatusBadRequest, "Invalid "+m.name+".")
		}
	}
	what.body = body
	return what, reply{}
}

var errNoText = errors.New("no string")

// text reads a string. null and a missing value are "".
func text(raw json.RawMessage, into *string) error {
	if raw != nil && json.Unmarshal(raw, into) != nil {
		return errNoText
	}
	return nil
}
