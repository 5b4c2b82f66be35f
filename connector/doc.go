// Package connector asks Mews's Connector API whether an access token works. Given a
// token, it returns what Mews says about it, or an error if Mews said nothing about it.
//
// The operation is configuration/get, which needs only the token and changes nothing.
// The package relies on Mews's public documents (Configuration, Requests, Responses,
// Environments, Multi-property), as of 2026:
//
//   - 200 comes with Enterprise, whose Id, Name and IsPortfolio are required, and
//     with Service for the token of a service-scoped integration.
//   - A token of a portfolio that asks without an EnterpriseId gets "the 'dummy'
//     enterprise used to identify the portfolio". That this is the one whose
//     IsPortfolio is true is how we read "whether the enterprise is a Portfolio
//     enterprise"; no sample shows it. If we are wrong, the portfolio's enterprise
//     looks like a stranger's, which is a conflict and never a false yes.
//   - 401 means an invalid or expired AccessToken or ClientToken, a missing
//     permission, a disabled enterprise, or an integration that is disabled for the
//     enterprise or in Mews. The body that tells them apart is undocumented, and its
//     Details may quote the request, so it is not read.
//   - 408, 429 and 5xx say nothing about the token. 403 and 404 are about the
//     operation, and 400 about the request.
//   - 200 requests per AccessToken in a sliding window of 30 s, "a guideline, not
//     a strict guarantee in either direction". 429 usually comes with Retry-After,
//     whose form is undocumented, so both forms of RFC 9110 are read.
//   - Every response has a Request-Id to quote to Mews's support.
//   - The address must match exactly: its case counts, and a trailing slash is a 404.
//
// The package starts no goroutine, but the idle connections of a client's own
// transport have theirs, until [Client.CloseIdleConnections].
package connector
