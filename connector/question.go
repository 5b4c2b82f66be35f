package connector

import (
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// question is the body of a request, with both tokens in clear. It is overwritten with
// zeros once the answer has arrived; a transport that reads on then gets an error. (The
// token itself, and copies of the transport's, stay in memory until they are collected.)
type question struct {
	mu   sync.Mutex
	body []byte // nil once wiped
	size int64
}

var errWiped = errors.New("connector: the question is over")

// ask writes a question. Enterprise may be empty.
func ask(clientToken, accessToken, client, enterprise string) (*question, error) {
	members := [...]struct{ name, value string }{
		{"ClientToken", clientToken},
		{"AccessToken", accessToken},
		{"Client", client},
		{"EnterpriseId", enterprise},
	}
	size := 2
	for _, m := range members {
		size += len(m.name) + 6*len(m.value) + len(`"":"",`)
	}
	q := &question{body: make([]byte, 0, size)} // enough for every escape: it never moves
	var failed error
	for _, m := range members {
		if m.name == "EnterpriseId" && m.value == "" {
			continue
		}
		sep := byte(',')
		if len(q.body) == 0 {
			sep = '{'
		}
		q.body = append(q.body, sep, '"')
		q.body = append(q.body, m.name...)
		q.body = append(q.body, '"', ':')
		var err error
		q.body, err = jsontext.AppendQuote(q.body, m.value)
		failed = errors.Join(failed, err)
	}
	q.body = append(q.body, '}')
	if failed != nil { // not UTF-8
		q.wipe()
		return nil, errWiped
	}
	q.size = int64(len(q.body))
	return q, nil
}

// reader returns the body from its beginning.
func (q *question) reader() (io.ReadCloser, error) { return &questionReader{question: q}, nil }

func (q *question) wipe() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.body[:cap(q.body)])
	q.body = nil
}

type questionReader struct {
	*question
	at int
}

func (r *questionReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.body == nil {
		return 0, errWiped
	}
	if r.at == len(r.body) {
		return 0, io.EOF
	}
	n := copy(p, r.body[r.at:])
	r.at += n
	return n, nil
}

func (r *questionReader) Close() error { return nil }
