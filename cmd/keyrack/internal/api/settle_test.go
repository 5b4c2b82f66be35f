package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestSettle: a person's word changes the verdict, and the history shows who said so, and
// why, to keys with the scope admin alone.
func TestSettle(t *testing.T) {
	atDesk(t, func(d desk) {
		time.Sleep(time.Hour)
		one := IntegrationsPath + "/9e5e84e9-974d-4f16-9662-ab2200f27cb1"
		token := d.rack.CheckIntegration("9e5e84e9-974d-4f16-9662-ab2200f27cb1")
		record, _ := d.rack.Record(token.Integration)
		code, said := d.post(one+"/settle", `{"enabled":false,"who":"Kim","why":"the hotel called"}`, "")
		if code != http.StatusOK || said["outcome"] != "applied" || said["reason"] != "disabled" {
			t.Fatalf("%d, %v", code, said)
		}
		code, said = d.post(one+"/settle", `{"enabled":true,"current":"`+record.Keys[0].Digest.String()+`","who":"Kim","why":"the hotel called again"}`, "")
		if code != http.StatusOK || said["status"] != "valid" {
			t.Fatalf("%d, %v", code, said)
		}
		for _, bad := range []string{
			`{"enabled":true}`, `{"who":"Kim","why":"x"}`, `{"enabled":"yes","who":"Kim","why":"x"}`,
			`{"current":"00000000","who":"Kim","why":"x"}`, `{"enabled":true,"who":"Kim","why":"` + strings.Repeat("x", 257) + `"}`,
		} {
			if code, _ := d.post(one+"/settle", bad, ""); code != http.StatusBadRequest {
				t.Errorf("%s: %d", bad, code)
			}
		}
		if code, said = d.post(one+"/settle", `{"enabled":false,"enterprise":"another","who":"Kim","why":"x"}`, ""); said["outcome"] != "conflict" || said["status"] != "valid" {
			t.Errorf("of another enterprise: %d, %v", code, said)
		}
		reader, key := NewKey("reader", scopeRead)
		d.server.access.keys = append(d.server.access.keys, key)
		for key, shows := range map[string]bool{d.key: true, reader: false} {
			req := httptest.NewRequest(http.MethodGet, one+"/history", nil)
			req.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			d.server.ServeHTTP(w, req)
			text := w.Body.String()
			if w.Code != http.StatusOK || strings.Contains(text, `"who":"Kim","why":"the hotel called again"`) != shows || strings.Contains(text, "Kim") != shows || !strings.Contains(text, `"by":"boss"`) {
				t.Errorf("shown %v: %d, %s", !shows, w.Code, text)
			}
		}
	})
}
