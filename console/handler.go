package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Policy is the Content-Security-Policy of every answer: style sheets and pictures of the
// page's own, forms to itself, and nothing else.
const Policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Handler serves the page. Make one with New. It is safe for concurrent use.
type Handler struct {
	rack     *keyrack.Rack
	store    store.Store
	options  Options
	index    *index
	tally    *tally
	subs     *lately[[]atrest.Subscription]
	stats    *lately[keyrack.Stats]
	sessions *sessions
	sealer   seal.Sealer // of tokens that somebody pasted, until they confirm it
	cross    *http.CrossOriginProtection
	routes   map[string]route
}

// route is what one path answers.
type route struct {
	method string // GET includes HEAD
	page   func(*Handler, *request)
}

// New returns a Handler that shows a Rack. Mount it under a path that ends with a slash,
// with what is before the slash stripped. Nothing runs in the background until somebody
// looks; Close ends what does. nil options mean the zero Options.
func New(rack *keyrack.Rack, options *Options) *Handler {
	var o Options
	if options != nil {
		o = *options
	}
	contained := guard.Store(rack.Store(), nil)
	h := &Handler{
		rack: rack, store: contained, options: o, sessions: newSessions(o.SignIn), sealer: seal.Ephemeral(), cross: http.NewCrossOriginProtection(),
		index: &index{rack: rack, store: contained}, tally: newTally(contained),
		subs:  newLately(func(ctx context.Context) ([]atrest.Subscription, error) { return atrest.Subscriptions(ctx, contained) }),
		stats: newLately(func(context.Context) (keyrack.Stats, error) { return rack.Stats(), nil }),
	}
	h.routes = map[string]route{
		"":              {http.MethodGet, (*Handler).overview},
		"integrations":  {http.MethodGet, (*Handler).integrations},
		"integration":   {http.MethodGet, (*Handler).integration},
		"entry":         {http.MethodGet, (*Handler).entry},
		"deliveries":    {http.MethodGet, (*Handler).deliveries},
		"subscriptions": {http.MethodGet, (*Handler).subscriptions},
		"settings":      {http.MethodGet, (*Handler).settings},
		"find":          {http.MethodPost, (*Handler).find},
		"act":           {http.MethodGet, (*Handler).act},
		"preview":       {http.MethodPost, (*Handler).preview},
		"do":            {http.MethodPost, (*Handler).do},
	}
	return h
}

// Close ends what runs in the background and waits for it. The handler goes on answering
// from what it knows. Close it before the Rack.
func (h *Handler) Close() error {
	h.tally.close()
	h.subs.close()
	h.stats.close()
	h.index.close()
	return nil
}

//go:embed templates style.css act.css icon.svg
var files embed.FS

// asset is a file that pages load. Its version is in the address, so it may be kept.
type asset struct {
	body    []byte
	kind    string
	version string
}

var assets = func() map[string]asset {
	all := make(map[string]asset)
	for name, kind := range map[string]string{"style.css": "text/css; charset=utf-8", "act.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		body, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all[name] = asset{body, kind, hex.EncodeToString(sum[:4])}
	}
	return all
}()

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"forms": func() string { return "act.css?v=" + assets["act.css"].version },
	"style": func() string { return "style.css?v=" + assets["style.css"].version },
	"icon":  func() string { return "icon.svg?v=" + assets["icon.svg"].version },
	"num":   number,
	"words": words,
}).ParseFS(files, "templates/*.html"))

// request is one request on its way to its page.
type request struct {
	*http.Request
	w       http.ResponseWriter
	visitor Visitor
	session bool
	root    string // leads to where the handler is mounted
	done    string // the entry of what the visitor has just done, as the query has it
	now     time.Time
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", Policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	name, rooted := strings.CutPrefix(req.URL.Path, "/")
	r := &request{Request: req, w: w, now: time.Now(), done: req.URL.Query().Get("did"), root: "./" + strings.Repeat("../", strings.Count(name, "/"))}
	if !rooted {
		http.Error(w, "The address of this page ends with a slash.", http.StatusNotFound)
		return
	}
	if a, ok := assets[name]; ok {
		a.serve(w, req)
		return
	}
	if err := h.cross.Check(req); err != nil {
		r.fail(http.StatusForbidden, "This came from another site", "Open the page itself and try again from there.")
		return
	}
	if !h.admit(r, name) {
		return
	}
	route, ok := h.routes[name]
	switch {
	case !ok:
		r.fail(http.StatusNotFound, "There is no such page", "Check the address, or start from the overview.")
	case req.Method == route.method || req.Method == http.MethodHead && route.method == http.MethodGet:
		route.page(h, r)
	default:
		header.Set("Allow", map[string]string{http.MethodGet: "GET, HEAD"}[route.method]+strings.TrimPrefix(route.method, http.MethodGet))
		r.fail(http.StatusMethodNotAllowed, "That cannot be done here", "Start from the overview.")
	}
}

func (a asset) serve(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", a.kind)
	if req.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	_, _ = w.Write(a.body)
}

// frame is what every page has around its content.
type frame struct {
	Title, Page, Root string
	Visitor           string // who is signed in; empty for nobody
	Session           bool
	Bare              bool   // without navigation
	Acting            bool   // it has the forms of an act
	Did               string // what the visitor has just done
	Now               moment
}

func (r *request) frame(page, title string) frame {
	return frame{
		Title: title, Page: page, Root: r.root, Visitor: plain(r.visitor.Name, inList), Session: r.session,
		Now: momentOf(r.now, r.now),
	}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// show answers with a page.
func (r *request) show(status int, name string, model any) {
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if err := templates.ExecuteTemplate(b, name, model); err != nil {
		// A mistake in a template of ours. Its text may quote the model, so it is not shown.
		http.Error(r.w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	r.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	r.w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	r.w.WriteHeader(status)
	_, _ = r.w.Write(b.Bytes())
}

// fail answers with what is wrong and what to do.
func (r *request) fail(status int, title, advice string) {
	r.show(status, "problem.html", struct {
		frame
		Advice string
	}{r.frame("", title), advice})
}

// failed answers for an error of the Rack's.
func (r *request) failed(err error) {
	if errors.Is(err, keyrack.ErrNotFound) {
		r.fail(http.StatusNotFound, "Nothing is known of it", "The integration or the entry does not exist, was forgotten, or is older than the journal reaches.")
		return
	}
	r.fail(http.StatusServiceUnavailable, "The store did not answer", "Try again. If it stays so, see the health of the store on the overview.")
}

// leave sends the browser to another page of this handler.
func (r *request) leave(to string) {
	r.w.Header().Set("Location", r.root+to) // relative: http.Redirect would add the path as it is seen here
	r.w.WriteHeader(http.StatusSeeOther)
}
