package console

import (
	"net/http"
	"slices"
	"strings"
)

type settingsPage struct {
	frame
	Settings []Setting
}

func (h *Handler) settings(r *request) {
	p := settingsPage{frame: r.frame("settings", "Settings")}
	for _, s := range h.options.Settings {
		p.Settings = append(p.Settings, Setting{plain(s.Name, inList), plain(s.Value, inFull), plain(s.From, inList)})
	}
	slices.SortStableFunc(p.Settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	r.show(http.StatusOK, "settings.html", p)
}
