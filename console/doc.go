// Package console is the operator's page: what a person looks at when a hotel calls. It
// renders a Rack and its journal as HTML.
//
//	page := console.New(rack, &console.Options{Webhooks: webhooks})
//	...
//	mux.Handle("/ops/keyrack/", http.StripPrefix("/ops/keyrack", page))
//
// It works without script, loads nothing from anywhere else and knows no prefix: all
// links are relative, so it can be mounted anywhere, behind a proxy as well. The address of
// a page is the whole of its query, and can be sent to a colleague:
//
//	./                                            how all of it stands
//	integrations?status=&reason=&state=&q=&sort=  lists, in pages
//	integration?id=ID                             one, and as it was: &at=POSITION
//	entry?id=ID&at=POSITION                       one entry, with its redacted body
//	deliveries?show=                              the journal, newest first
//	subscriptions, settings
//	act?do=                                       what an act would do, and its confirmation
//
// A request goes this way:
//
//	request ─► headers ─► visitor ─► page ─► model ─► template ─► HTML
//	           (policy)   (who)     (query)  (index, tally, Rack)
//
// Where the host allows it (Options.May), a visitor may act: ask Mews, settle by hand, import,
// name, label, erase, forget, and control subscriptions. Each act shows first what it would
// do, wants who and why, counts once however often its form is sent, and is in the journal.
//
// Nothing secret is on any page: no token, no webhook secret. Text that came from outside
// goes through one function, plain, which leaves nothing in it that could change the shape
// of a page, overlap its neighbours or pass for something else.
package console
