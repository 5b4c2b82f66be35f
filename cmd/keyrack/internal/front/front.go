// Package front stands in front of the library's handler on the webhook listener. It
// answers a load balancer's check, refuses what a web page sends where no secret protects
// the deliveries, and does not wait for the bodies of requests that were refused.
package front

import (
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// LivePath is answered to everybody, beside the path of the webhook.
const LivePath = "/livez"

// RefusedPage is why a request was refused that a web page can have sent.
const RefusedPage keyrack.Refusal = "page"

// Handler is the http.Handler. Its zero value is not valid.
type Handler struct {
	Next          http.Handler
	Path          string                      // of the webhook
	WithoutSecret bool                        // nothing but a page's habits tells it from Mews
	Refused       func(keyrack.ServedRequest) // is told of what Handler refuses
}

// ServeHTTP answers one request.
func (f *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == LivePath && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	began := time.Now()
	if f.WithoutSecret && fromPage(req) {
		w = &refusing{ResponseWriter: w}
		http.Error(w, "requests of web pages are not deliveries", http.StatusForbidden)
		f.Refused(keyrack.ServedRequest{Status: http.StatusForbidden, Refusal: RefusedPage, Took: time.Since(began)})
		return
	}
	if req.URL.Path == f.Path+"/" {
		w = &refusing{ResponseWriter: w}
		http.Error(w, "the path of the webhook is exact: leave out the slash at its end", http.StatusNotFound)
		f.Refused(keyrack.ServedRequest{Status: http.StatusNotFound, Refusal: keyrack.RefusedPath, Took: time.Since(began)})
		return
	}
	f.Next.ServeHTTP(&refusing{ResponseWriter: w}, req)
}

// fromPage reports whether a web page can have sent a request to this machine without
// asking first: a browser says where it comes from, and sends such a page's body only as one
// of three types.
func fromPage(req *http.Request) bool {
	if req.Header.Get("Origin") != "" || req.Header.Get("Sec-Fetch-Site") != "" {
		return true
	}
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	return media == "text/plain" || media == "application/x-www-form-urlencoded" || media == "multipart/form-data"
}

// refusing bounds how long the server waits for the rest of the body of a request that was
// refused: nobody reads it, and who has no secret should not hold a connection with it. A
// body that is there already costs nobody the connection.
type refusing struct{ http.ResponseWriter }

// restWithin is how long the rest of such a body may take.
const restWithin = 100 * time.Millisecond

func (r *refusing) WriteHeader(status int) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		_ = http.NewResponseController(r.ResponseWriter).SetReadDeadline(time.Now().Add(restWithin))
	case http.StatusRequestEntityTooLarge:
		r.Header().Set("Connection", "close") // as the server does, which does not see through r
	}
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap serves http.ResponseController.
func (r *refusing) Unwrap() http.ResponseWriter { return r.ResponseWriter }
