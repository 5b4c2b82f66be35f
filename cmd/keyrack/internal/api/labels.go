package api

import (
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Labels are what the application notes about an integration.
type Labels map[string]string

func labelsOf(l lifecycle.Labels) Labels {
	if l == "" {
		return nil
	}
	return maps.Collect(l.All())
}

// LabelRequest names labels to set, and keys of labels to remove.
type LabelRequest struct {
	Set    Labels   `json:"set,omitempty"`
	Remove []string `json:"remove,omitempty"`
}

// LabelResult is the labels of an integration.
type LabelResult struct {
	Labels Labels `json:"labels"`
}

// labelRule says what labels may be.
const labelRule = "at most 16 labels, whose keys and values have at most 63 bytes: letters, digits, '-', '_' and '.', with a letter or a digit at both ends; a value may be empty"

const labelShape = "the body must be a JSON object with set (an object of strings), remove (an array of keys) or both; an integration has "

// label sets and removes labels of an integration.
func (a *Server) label(w http.ResponseWriter, req *http.Request) {
	said, ok := readJSON[LabelRequest](w, req, labelShape+labelRule)
	if !ok {
		return
	}
	receipt, err := a.Rack.Label(req.Context(), req.PathValue("id"), said.Set, said.Remove, callerOf(req))
	switch {
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusBadRequest, "invalid_request", labelShape+labelRule)
	case err != nil:
		a.fail(w, req, err)
	default:
		labels := labelsOf(receipt.Verdict.Labels)
		if labels == nil {
			labels = Labels{}
		}
		answer(w, http.StatusOK, LabelResult{labels})
	}
}

// ParseLabels reads labels as key=value,key=value.
func ParseLabels(text string) (Labels, error) {
	labels := Labels{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if _, twice := labels[key]; twice || !ok {
			return nil, errLabels
		}
		labels[key] = value
	}
	_, err := lifecycle.NewLabels(labels)
	return labels, err
}

var errLabels = errors.New("labels are written key=value,key=value")
