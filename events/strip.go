package events

import "bytes"

// WithoutRequestor returns a copy of a webhook's body in which the value of every member
// named Requestor, in whatever case and at whatever depth, is null. Everything else is the
// same byte for byte. So the body of an unknown action can be stored, too, without the
// personal data in it. Tokens are still there, in clear.
//
// It accepts any JSON, of any shape, duplicate names and broken UTF-8 included. Any other
// error is an *[Error] and unwraps to [ErrSyntax]; there is no copy then.
func WithoutRequestor(body []byte) ([]byte, error) {
	mark := markOf(body)
	r := newReader(body[mark:], lenient...)
	defer r.release()
	stripped := make([]byte, 0, len(body)+len("null"))
	stripped = append(stripped, body[:mark]...)
	body = body[mark:]
	done := int64(0) // how much of body has been copied or left out
	for {
		if kind, n := r.dec.StackIndex(r.dec.StackDepth()); kind != '{' || n%2 != 0 {
			r.take() // no name of a member
		} else if r.next() && bytes.EqualFold(r.name, []byte("Requestor")) {
			r.skip()
			stripped = append(append(stripped, body[done:r.start()]...), "null"...)
			done = r.dec.InputOffset()
		}
		if r.err != nil || r.dec.StackDepth() == 0 {
			break
		}
	}
	if r.end(); r.err != nil {
		return nil, r.err
	}
	return append(stripped, body[done:]...), nil
}
