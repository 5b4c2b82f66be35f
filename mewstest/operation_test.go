package mewstest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/mewstest"
)

// operate sends one request to a World's Connector API.
func operate(t *testing.T, w *mewstest.World, operation, token string) (status int, body map[string]any) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, "/api/connector/v1/"+operation, strings.NewReader(fmt.Sprintf(
		`{"ClientToken":%q,"AccessToken":%q,"Client":"Test 1.0"}`, w.Connector().ClientToken().Reveal(), token)))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	w.Connector().ServeHTTP(answer, req)
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return answer.Code, body
}

// getAll answers a page of objects of the kind that its name says.
func TestGetAllAnswersAPage(t *testing.T) {
	w := mewstest.New(nil)
	hotel := w.ConnectAs(mewstest.Connection{Hotel: "Alpenrose", Unannounced: true})
	status, body := operate(t, w, "reservations/getAll", hotel.Token())
	items, _ := body["Reservations"].([]any)
	cursor, has := body["Cursor"]
	if status != http.StatusOK || len(items) != 3 || !has || cursor != nil {
		t.Fatalf("%d %v, want a page of three and no cursor", status, body)
	}
	if _, other := operate(t, w, "customers/getAll", hotel.Token()); fmt.Sprint(other["Customers"]) == fmt.Sprint(items) {
		t.Error("customers are the same objects as reservations")
	}
	if _, again := operate(t, w, "reservations/getAll", hotel.Token()); fmt.Sprint(again["Reservations"]) != fmt.Sprint(items) {
		t.Error("the second page has other objects than the first")
	}
	if _, body := operate(t, w, "reservations/cancel", hotel.Token()); len(body) != 0 {
		t.Errorf("another operation answers %v, want an empty object", body)
	}
}

// The test decides what an operation answers, and only where the token works.
func TestOperationsAreAnsweredByTheTest(t *testing.T) {
	var asked []string
	w := mewstest.New(&mewstest.Options{Operations: func(o mewstest.Operation) (int, any) {
		asked = append(asked, o.Name)
		switch o.Name {
		case "reservations/getAll":
			return http.StatusOK, map[string]string{"Hotel": o.Integration.Enterprise().ID(), "Works": fmt.Sprint(o.Integration.Works())}
		case "bills/close":
			return http.StatusForbidden, map[string]string{"Message": "Closed already."}
		}
		return 0, nil
	}})
	hotel := w.ConnectAs(mewstest.Connection{Hotel: "Alpenrose", Unannounced: true})
	if status, body := operate(t, w, "reservations/getAll", hotel.Token()); status != http.StatusOK || body["Hotel"] != hotel.Enterprise().ID() || body["Works"] != "true" {
		t.Errorf("reservations/getAll: %d %v", status, body)
	}
	if status, body := operate(t, w, "bills/close", hotel.Token()); status != http.StatusForbidden || body["Message"] != "Closed already." {
		t.Errorf("bills/close: %d %v", status, body)
	}
	if _, body := operate(t, w, "customers/getAll", hotel.Token()); body["Customers"] == nil {
		t.Errorf("customers/getAll: %v, want the World's page", body)
	}
	hotel.Disable()
	if status, _ := operate(t, w, "reservations/getAll", hotel.Token()); status != http.StatusUnauthorized {
		t.Errorf("a disabled hotel: %d, want 401", status)
	}
	if len(asked) != 3 {
		t.Errorf("asked the test about %v, want three operations and none of a disabled hotel", asked)
	}
}
