package mewstest

import (
	"net/http"
	"strings"
)

// Operation is a request to the Connector API that was admitted: ClientToken and
// AccessToken work, and the operation is permitted.
type Operation struct {
	// Name is the path below /api/connector/v1/, such as "reservations/getAll".
	Name string
	// Integration is the integration of the request's access token.
	Integration *Integration
	// Body is the request as it came, tokens included.
	Body []byte
}

// operation answers any operation but configuration/get. w.mu is not held.
func (c *Connector) operation(o Operation) reply {
	if answer := c.world.options.Operations; answer != nil {
		if status, body := answer(o); status != 0 {
			return reply{status: status, body: body}
		}
	}
	resource, action, _ := strings.Cut(o.Name, "/")
	if action != "getAll" {
		return reply{status: http.StatusOK, body: struct{}{}}
	}
	return reply{status: http.StatusOK, body: c.page(resource, o.Integration)}
}

// pageItems is how many objects a page has.
const pageItems = 3

// page is the only page of all objects of a kind. They are made up from the seed.
func (c *Connector) page(resource string, i *Integration) map[string]any {
	items := make([]map[string]string, pageItems)
	for n := range items {
		r := fate(c.world.options.Seed, ofObject, i.number, int(mix(hashOf(resource))>>1)+n)
		items[n] = map[string]string{"Id": guid(r), "EnterpriseId": i.enterprise.named.ID}
	}
	return map[string]any{strings.ToUpper(resource[:1]) + resource[1:]: items, "Cursor": nil}
}
