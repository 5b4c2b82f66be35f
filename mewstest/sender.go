package mewstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// AnswerWithin is how long Mews waits for an answer.
const AnswerWithin = 5 * time.Second

// redirections is how many redirections Mews follows. Its documents give no number.
const redirections = 10

// Sender sends webhooks as Mews does, one request at a time and without a World.
type Sender struct {
	// Receiver gets the requests by direct calls, unless it is nil.
	Receiver http.Handler
	// URL is where they go otherwise. With a Receiver, its path and query are used.
	URL string
	// Secret is sent as Token in the query, unless it is zero.
	Secret lifecycle.Token
	// Transport carries what goes to URL. nil means http.DefaultTransport.
	Transport http.RoundTripper
}

// Reply is how one request ended.
type Reply struct {
	// Status is the HTTP status; 0 if there was no answer.
	Status int
	// Trouble says why there was no answer, or why it does not count, in one of a few
	// fixed phrases. It is empty otherwise.
	Trouble string
	// Redirected is the number of redirections that were followed. Each handed the body
	// and the token to another address.
	Redirected int
	// Took is the time from the request to its end.
	Took time.Duration
}

// What Reply.Trouble says.
const (
	troubleURL       = "the URL is none"
	troubleRefused   = "no connection"
	troubleTimeOut   = "no answer in time"
	troublePanic     = "the receiver panicked"
	troubleElsewhere = "redirected to another host, not followed"
	troubleLoop      = "redirected too often"
)

// Delivered reports whether Mews takes the message for delivered.
func (a Reply) Delivered() bool {
	switch a.Status {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return a.Trouble == ""
	}
	return false
}

// String returns the status or the trouble.
func (a Reply) String() string {
	switch {
	case a.Status == 0:
		return a.Trouble
	case a.Trouble == "":
		return strconv.Itoa(a.Status)
	}
	return strconv.Itoa(a.Status) + ", " + a.Trouble
}

// Post sends one body. It waits for the answer for at most AnswerWithin, and follows
// redirections by 307 and 308 as Mews does, but never to another host.
func (s *Sender) Post(ctx context.Context, body []byte) Reply {
	return s.post(ctx, body, "application/json")
}

func (s *Sender) post(ctx context.Context, body []byte, contentType string) (a Reply) {
	began := time.Now()
	defer func() { a.Took = time.Since(began) }()
	ctx, cancel := context.WithTimeout(ctx, AnswerWithin+1) // an answer at the last moment counts
	defer cancel()
	to, err := s.address()
	if err != nil {
		a.Trouble = troubleURL
		return a
	}
	for host := to.Host; ; {
		res, err := s.once(ctx, to, body, contentType)
		if err != nil {
			a.Status, a.Trouble = 0, trouble(ctx, err)
			return a
		}
		a.Status = res.StatusCode
		if a.Status != http.StatusTemporaryRedirect && a.Status != http.StatusPermanentRedirect {
			return a
		}
		if to, err = res.Location(); err != nil {
			return a
		}
		a.Redirected++
		switch {
		case to.Host != host:
			a.Trouble = troubleElsewhere
			return a
		case a.Redirected > redirections:
			a.Trouble = troubleLoop
			return a
		}
	}
}

// address is the URL with the secret in it.
func (s *Sender) address() (*url.URL, error) {
	to, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	if to.Host == "" && s.Receiver == nil {
		return nil, errors.New("mewstest: the URL has no host; give one such as http://127.0.0.1:8080/webhooks/mews")
	}
	if !s.Secret.IsZero() {
		query := to.Query()
		query.Set("Token", s.Secret.Reveal())
		to.RawQuery = query.Encode()
	}
	return to, nil
}

// once makes one request and reads its answer to the end.
func (s *Sender) once(ctx context.Context, to *url.URL, body []byte, contentType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	carrier := s.Transport
	switch {
	case s.Receiver != nil:
		carrier = Transport(s.Receiver)
	case carrier == nil:
		carrier = http.DefaultTransport
	}
	res, err := carrier.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	_ = res.Body.Close()
	return res, nil
}

// trouble describes an error by a fixed phrase, because errors quote URLs.
func trouble(ctx context.Context, err error) string {
	var panicked errPanic
	switch {
	case errors.As(err, &panicked):
		return troublePanic
	case ctx.Err() != nil:
		return troubleTimeOut
	}
	return troubleRefused
}
