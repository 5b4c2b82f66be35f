package mewstest

import (
	"net/http"
	"time"
)

// configuration is the answer of configuration/get, as far as receivers need it.
type configuration struct {
	NowUtc                           time.Time
	Enterprise                       enterpriseBody
	Service                          *serviceBody
	PaymentCardStorage               *struct{}
	IsIdentityDocumentNumberRequired bool
}

type enterpriseBody struct {
	ID                    string `json:"Id"`
	ExternalIdentifier    *string
	HoldingKey            *string
	ChainID               string `json:"ChainId"`
	ChainName             string
	CreatedUtc            time.Time
	UpdatedUtc            time.Time
	Name                  string
	TimeZoneIdentifier    string
	LegalEnvironmentCode  string
	DefaultLanguageCode   string
	EditableHistoryPeriod string `json:"EditableHistoryInterval"`
	Pricing               string
	IsPortfolio           bool
	GroupNames            []string
	Currencies            []currencyBody
}

type currencyBody struct {
	Currency  string
	IsDefault bool
	IsEnabled bool
}

type serviceBody struct {
	ID           string `json:"Id"`
	EnterpriseID string `json:"EnterpriseId"`
	IsActive     bool
	Name         string
	Type         string
	CreatedUtc   time.Time
	UpdatedUtc   time.Time
}

// configuration answers configuration/get for a token that works. A portfolio's token
// may ask for one of its hotels. Other tokens need not name a hotel, and may only name
// their own. w.mu is held.
func (i *Integration) configuration(enterpriseID string) reply {
	e := i.enterprise
	if enterpriseID != "" && enterpriseID != e.named.ID {
		e = nil
		for _, hotel := range i.enterprise.hotels {
			if hotel.named.ID == enterpriseID && !hotel.off {
				e = hotel
			}
		}
		if e == nil {
			return refuse(http.StatusBadRequest, "Invalid EnterpriseId.")
		}
	}
	body := configuration{NowUtc: i.world.now().UTC(), Enterprise: e.body()}
	if i.service.ID != "" {
		body.Service = &serviceBody{
			ID: i.service.ID, EnterpriseID: e.named.ID, IsActive: true, Name: i.service.Name,
			Type: "Reservable", CreatedUtc: i.created.UTC(), UpdatedUtc: i.created.UTC(),
		}
	}
	return reply{status: http.StatusOK, body: body}
}

func (e *Enterprise) body() enterpriseBody {
	chain := guid(fate(e.world.options.Seed, ofEnterprise, 0, 1))
	return enterpriseBody{
		ID: e.named.ID, ChainID: chain, ChainName: "Sample Chain", CreatedUtc: e.created.UTC(), UpdatedUtc: e.created.UTC(),
		Name: e.named.Name, TimeZoneIdentifier: "Europe/Vienna", LegalEnvironmentCode: "AT",
		DefaultLanguageCode: "de-AT", EditableHistoryPeriod: "P0M7DT0H0M0S", Pricing: "Gross",
		IsPortfolio: len(e.hotels) > 0, GroupNames: []string{"Sample Group"},
		Currencies: []currencyBody{{"EUR", true, true}},
	}
}
