package lifecycle

// Anyone with the webhook's secret can be the first to announce an integration, with a
// wrong enterprise or time of creation. What nobody has proved gives way to what Mews
// confirms: a second IntegrationCreated that contradicts it brings a candidate
// with the enterprise that it claims, and a 200 that names this enterprise settles it.

// proved reports whether Mews has confirmed any token of the integration.
func (r *Record) proved() bool { return r.lastProved() >= 0 }

// claim keeps the token of an IntegrationCreated that contradicts what nobody has proved.
func (r *Record) claim(e *Evidence, d *Decision) {
	if e.Owner != "" || e.Token.isZero() || e.Enterprise.ID == "" || r.State == Deleted || r.proved() || r.keyIndex(e.Token) >= 0 {
		return
	}
	r.add(e, Candidate, d)
	r.Keys[len(r.Keys)-1].Claim = e.Enterprise.ID
}

// yields reports whether a 200 confirms the claim of a token's IntegrationCreated, against
// what nobody has proved.
func (r *Record) yields(k *Key, e *Evidence) bool {
	return k.Claim != "" && e.Kind == KindProbe && !e.Portfolio && e.Enterprise.ID == k.Claim && e.Enterprise.ID != r.AnsweredBy && r.State != Deleted && !r.proved()
}
