package httpserver

// Shares are the most connections of each listener.
type Shares struct{ Webhooks, API, Health int }

// The most connections of a listener, however many files there may be, and the files that
// are kept back for the store, for the connections to Mews and for the process itself.
const (
	MostConnections = 1024
	healthShare     = 8
	keptBack        = 64
)

// ShareOut shares the files that this process may have open between the listeners. Each has
// a share of its own, so that a flood of one leaves the others theirs. files is 0 where it
// is not known, or not limited.
func ShareOut(files uint64) Shares {
	if files == 0 || files > 4*MostConnections {
		files = 4 * MostConnections
	}
	left := int(files)
	left -= min(keptBack, left/3) + healthShare
	return Shares{
		Webhooks: max(1, min(MostConnections, left*2/3)),
		API:      max(1, min(MostConnections, left/3)),
		Health:   healthShare,
	}
}

// OpenFiles returns how many files this process may have open, or 0.
func OpenFiles() uint64 { return openFiles() }
