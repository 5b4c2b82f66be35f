// Package connector asks Mews's Connector API whether an access token works: a
// token goes in, and out comes what Mews says about it, or that Mews said nothing.
//
// The question is configuration/get, which needs nothing but the token and
// changes nothing. What the package relies on is in Mews's public documents
// (Configuration, Requests, Responses, Environments, Multi-property), as of 2026:
//
//   - 200 comes with Enterprise, whose Id, Name and IsPortfolio are required, and
//     with Service for the token of a service-scoped integration.
//   - A token of a portfolio that asks without an EnterpriseId gets "the 'dummy'
//     enterprise used to identify the portfolio". That this is the one whose
//     IsPortfolio is true is how we read "whether the enterprise is a Portfolio
//     enterprise"; no sample shows it. Where it is not, the portfolio's
//     enterprise looks like somebody else's: a conflict, never a false yes.
//   - 401 is an invalid or expired AccessToken or ClientToken, a missing
//     permission, an enterprise that is disabled, or an integration that is, for
//     the enterprise or in Mews. The body that tells them apart is not
//     documented, and the Details in it may quote the request: it is not read.
//   - 408, 429 and 5xx say nothing about the token. 403 and 404 are about the
//     operation, and 400 about the request.
//   - 200 requests per AccessToken in a sliding window of 30 s, "a guideline, not
//     a strict guarantee in either direction". 429 mostly comes with Retry-After,
//     whose form is not documented: both forms of RFC 9110 are read.
//   - Every response has a Request-Id to quote to Mews's support.
//   - The address must match exactly: its case counts, and a trailing slash is a 404.
//
// Nothing here starts a goroutine. The connections that a client's own transport
// keeps for its next question have theirs, until [Client.CloseIdleConnections].
package connector
