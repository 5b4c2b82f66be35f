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

// propertyOf returns the property of a name, or numProperties.
func propertyOf(name []byte) property {
	for p := range numProperties {
		if string(name) == propertyNames[p] {
			return p
		}
	}
	return numProperties
}

// contracts are the properties in the Data of the actions that have more of them than the
// integration. A member that is not in its action's contract is skipped, as any unknown one
// is.
var contracts = []properties{
	lifecycle.IntegrationCreated: setOf(enterprise, service, requestor, accessToken,
		createdUtc, isEnabled, integration),
	lifecycle.IntegrationDeleted:       setOf(deletedUtc, integration),
	lifecycle.IntegrationApiKeyCreated: setOf(integration, apiKey),
}

// contractOf returns the contract of an action: of an unknown one the integration alone.
func contractOf(a lifecycle.Action) properties {
	if int(a) < len(contracts) && contracts[a] != 0 {
		return contracts[a]
	}
	return setOf(integration)
}

// has reports whether the event has a property.
func (e *Event) has(p property) bool {
	switch p {
	case enterprise:
		return e.Enterprise != lifecycle.Named{}
	case service:
		return e.Service != lifecycle.Named{}
	case requestor:
		return !e.Requestor.IsZero()
	case accessToken:
		return !e.AccessToken.IsZero()
	case createdUtc:
		return !e.CreatedUtc.IsZero()
	case isEnabled:
		return e.IsEnabled != lifecycle.Unset
	case deletedUtc:
		return !e.DeletedUtc.IsZero()
	case integration:
		return e.Integration != lifecycle.Named{}
	}
	return !e.ApiKey.IsZero()
}

// essential reports whether an event may be lost for want of what is in a place.
func essential(place string) bool {
	switch place {
	case "", "/Action", "/Data", "/Data/Integration", "/Data/Integration/Id", "/Data/AccessToken", "/Data/ApiKey":
		return true
	}
	return false
}

// lacks returns the place of the first property that is missing and without which the
// event means nothing, or "". Mews has been seen to leave out the others, or to send them
// as null, though the specification calls most of them required.
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
