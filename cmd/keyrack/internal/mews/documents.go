package mews

import (
	"time"

	"github.com/keyrack-dev/keyrack/mewstest"
)

// problem is the answer to a call that is not done.
type problem struct {
	Detail string `json:"detail"`
}

// connection is how a hotel connects.
type connection struct {
	Hotel       string   `json:"hotel"`
	Service     string   `json:"service"`
	Name        string   `json:"name"`
	Portfolio   []string `json:"portfolio"`
	Disabled    bool     `json:"disabled"`
	Unannounced bool     `json:"unannounced"`
}

// integration is the truth about an integration. Its token was made up.
type integration struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	EnterpriseID string `json:"enterprise_id"`
	Token        string `json:"token"`
	Works        bool   `json:"works"`
	Deleted      bool   `json:"deleted"`
}

func document(i *mewstest.Integration) integration {
	return integration{i.ID(), i.Name(), i.Enterprise().ID(), i.Token(), i.Works(), i.Deleted()}
}

type integrations struct {
	Integrations []integration `json:"integrations"`
}

// changed is an integration after a change, and the webhooks that were sent since.
type changed struct {
	Integration integration `json:"integration"`
	Webhooks    []webhook   `json:"webhooks"`
}

// webhook is how one attempt to deliver a webhook ended, or that there is none.
type webhook struct {
	At          time.Time `json:"at"`
	Action      string    `json:"action"`
	Integration string    `json:"integration,omitempty"`
	Outcome     string    `json:"outcome"` // delivered, failed, lost or given up
	Status      int       `json:"status,omitempty"`
	Attempt     int       `json:"attempt,omitempty"`
	Note        string    `json:"note,omitempty"`
}

type webhooks struct {
	Webhooks []webhook `json:"webhooks"`
}

// outcomeOf returns how an attempt ended, if an entry of the log is about that.
func outcomeOf(e mewstest.LogEntry) (outcome string, ok bool) {
	switch e.Kind {
	case mewstest.Answered:
		if (mewstest.Reply{Status: e.Status, Trouble: e.Note}).Delivered() {
			return "delivered", true
		}
		return "failed", true
	case mewstest.Lost:
		return "lost", true
	case mewstest.Discarded:
		return "given up", true
	}
	return "", false
}

// fate is what is to become of the next webhook.
type fate struct {
	Lose      bool   `json:"lose"`
	Duplicate bool   `json:"duplicate"`
	Reorder   bool   `json:"reorder"`
	Delay     string `json:"delay"`
}

// trouble is what ails the Connector API.
type trouble struct {
	RefuseClientToken bool   `json:"refuse_client_token"`
	Latency           string `json:"latency"`
	Status            int    `json:"status"`
}

// clock is the World's clock, and what was sent while it moved.
type clock struct {
	Now      time.Time `json:"now"`
	Webhooks []webhook `json:"webhooks,omitempty"`
}

// clockMove is how the clock is to move.
type clockMove struct {
	Advance string     `json:"advance"`
	Set     *time.Time `json:"set"`
}
