package events

import "github.com/keyrack-dev/keyrack/lifecycle"

// property is a member that the specification gives to the Data of some action.
// The order is the one in which they are written.
type property uint8

const (
	enterprise property = iota
	service
	requestor
	accessToken
	createdUtc
	isEnabled
	deletedUtc
	integration
	apiKey
	numProperties // also: a member that is none of them
)

var propertyNames = [numProperties]string{
	enterprise:  "Enterprise",
	service:     "Service",
	requestor:   "Requestor",
	accessToken: "AccessToken",
	createdUtc:  "CreatedUtc",
	isEnabled:   "IsEnabled",
	deletedUtc:  "DeletedUtc",
	integration: "Integration",
	apiKey:      "ApiKey",
}

// properties is a set.
type properties uint16

func setOf(ps ...property) (s properties) {
	for _, p := range ps {
		s |= 1 << p
	}
	return s
}

func (s properties) has(p property) bool { return s>>p&1 != 0 }

// contracts holds what the Data of each action consists of. A member that is
// not in its action's contract is as unknown as any other: it is skipped. Of an
// unknown action we want to know whom it is about.
var contracts = [...]properties{
	lifecycle.ActionUnknown: setOf(integration),
	lifecycle.IntegrationCreated: setOf(enterprise, service, requestor, accessToken,
		createdUtc, isEnabled, integration),
	lifecycle.IntegrationEnabled:       setOf(integration),
	lifecycle.IntegrationDisabled:      setOf(integration),
	lifecycle.IntegrationCanceled:      setOf(integration),
	lifecycle.IntegrationReinstated:    setOf(integration),
	lifecycle.IntegrationDeleted:       setOf(deletedUtc, integration),
	lifecycle.IntegrationApiKeyCreated: setOf(integration, apiKey),
}

// lacks returns the place of the first property that is missing and without
// which the event means nothing, or "". Whatever else the specification calls
// required, Mews has been seen to leave out or to send as null.
func (e *Event) lacks() string {
	switch {
	case e.Integration.ID == "":
		return "/Data/Integration/Id"
	case e.Action == lifecycle.IntegrationCreated && e.AccessToken.IsZero():
		return "/Data/AccessToken"
	case e.Action == lifecycle.IntegrationApiKeyCreated && e.ApiKey.IsZero():
		return "/Data/ApiKey"
	}
	return ""
}
