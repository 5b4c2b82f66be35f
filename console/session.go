package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	sessionCookie = "keyrack_console"
	sessionLength = 8 * time.Hour
	sessionIdle   = time.Hour
	maxSessions   = 1024
	maxForm       = 64 << 10 // bytes of a form
)

// sessions are the visitors who have signed in. The cookie holds a random value, and its
// digest leads to the visitor, so what is in memory opens nothing.
type sessions struct {
	signIn func(key string) (Visitor, bool)

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session
}

type session struct {
	visitor     Visitor
	begun, seen time.Time
}

func newSessions(signIn func(string) (Visitor, bool)) *sessions {
	return &sessions{signIn: signIn, all: make(map[[sha256.Size]byte]*session)}
}

// begin makes a session and returns its cookie's value.
func (s *sessions) begin(v Visitor, now time.Time) string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	value := base64.RawURLEncoding.EncodeToString(random[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.all[sha256.Sum256([]byte(value))] = &session{v, now, now}
	return value
}

// sweep ends what is over, and the longest unused where there are too many. s.mu is held.
func (s *sessions) sweep(now time.Time) {
	var oldest [sha256.Size]byte
	for id, one := range s.all {
		if one.over(now) {
			delete(s.all, id)
		} else if first := s.all[oldest]; first == nil || one.seen.Before(first.seen) {
			oldest = id
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.begun) > sessionLength || now.Sub(s.seen) > sessionIdle
}

// find returns the visitor of a request's session.
func (s *sessions) find(req *http.Request, now time.Time) (Visitor, bool) {
	for _, cookie := range req.CookiesNamed(sessionCookie) {
		id := sha256.Sum256([]byte(cookie.Value))
		s.mu.Lock()
		one := s.all[id]
		if one != nil && one.over(now) {
			delete(s.all, id)
			one = nil
		}
		if one != nil {
			one.seen = now
			v := one.visitor
			s.mu.Unlock()
			return v, true
		}
		s.mu.Unlock()
	}
	return Visitor{}, false
}

func (s *sessions) end(req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cookie := range req.CookiesNamed(sessionCookie) {
		delete(s.all, sha256.Sum256([]byte(cookie.Value)))
	}
}

// cookie returns the session's cookie. It names no path, so a browser sends it to where the
// handler is mounted and to no other part of the host.
func cookie(req *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: req.TLS != nil || strings.EqualFold(req.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// admit finds out who asks. If they have to sign in first, it answers and returns false.
func (h *Handler) admit(r *request, name string) bool {
	if h.options.SignIn == nil {
		if h.options.Visitor != nil {
			r.visitor = h.options.Visitor(r.Request)
		}
		return true
	}
	r.visitor, r.session = h.sessions.find(r.Request, r.now)
	switch {
	case name == "signin" && r.Method == http.MethodPost:
		h.signIn(r)
	case name == "signout" && r.Method == http.MethodPost:
		h.sessions.end(r.Request)
		http.SetCookie(r.w, cookie(r.Request, "", -1))
		r.leave("")
	case r.session:
		return true
	default:
		r.signInPage(http.StatusUnauthorized, h.wanted(name+"?"+r.URL.RawQuery), "")
	}
	return false
}

func (h *Handler) signIn(r *request) {
	r.Body = http.MaxBytesReader(r.w, r.Body, maxForm)
	to := h.wanted(r.PostFormValue("to"))
	visitor, ok := h.options.SignIn(strings.TrimSpace(r.PostFormValue("key")))
	if !ok {
		r.signInPage(http.StatusForbidden, to, "This key is not valid here. It must be an API key with the scope read or admin.")
		return
	}
	h.sessions.end(r.Request)
	http.SetCookie(r.w, cookie(r.Request, h.sessions.begin(visitor, r.now), int(sessionLength/time.Second)))
	r.leave(to)
}

// wanted returns where somebody wants to go who has to sign in first: a page of this handler
// with its query, or else the overview.
func (h *Handler) wanted(to string) string {
	name, query, _ := strings.Cut(to, "?")
	values, err := url.ParseQuery(query)
	if route, ok := h.routes[name]; !ok || route.method != http.MethodGet || err != nil || len(values) == 0 {
		if ok && route.method == http.MethodGet {
			return name
		}
		return ""
	}
	return name + "?" + values.Encode()
}

func (r *request) signInPage(status int, to, wrong string) {
	f := r.frame("", "Sign in")
	f.Bare = true
	r.show(status, "signin.html", struct {
		frame
		To, Wrong string
	}{f, to, wrong})
}
