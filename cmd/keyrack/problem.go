package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an answer that is not what was asked for, after RFC 9457. Its type
// is about:blank; what a program decides on is code. It holds nothing of the
// request's.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code is by the name that OAuth 2.0 gives it (RFC 6749, section 5.2), and for
	// questions about a token is one of OAuth's where it has one.
	Code string `json:"error"`
}

// refuse answers with a problem.
func refuse(w http.ResponseWriter, status int, code, detail string) {
	answerAs(w, "application/problem+json", status, problem{http.StatusText(status), status, detail, code})
}

// answer answers with JSON.
func answer(w http.ResponseWriter, status int, value any) {
	answerAs(w, "application/json", status, value)
}

func answerAs(w http.ResponseWriter, media string, status int, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		panic("an answer is no JSON") // a mistake in our own types
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}
