package pgstore_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/store"
)

// A transaction that stays open anywhere in the database does not make a look at the journal
// walk over all that came since.
func TestPollBesideALongTransaction(t *testing.T) {
	n := cycles(3000, 50000)
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket("options='-c synchronous_commit=local'"), &pgstore.Options{Schema: schema, NoListen: true})
	other := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	long := c.Connect(t)
	tx, err := long.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	var one int
	if err := tx.QueryRow(t.Context(), "select 1 from "+pgx.Identifier{schema, "bounds"}.Sanitize()).Scan(&one); err != nil {
		t.Fatal(err)
	}
	at := store.Position(0)
	for i := range n {
		_, err := s.Commit(t.Context(), store.Commit{
			Entry:  store.Entry{ID: store.NewEntryID(time.Now()), Integration: "a", Evidence: []byte("{}"), Decision: []byte("{}")},
			Expect: uint64(i), Record: []byte("{}"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if i%25 == 0 { // as instances do that look four times a second
			for e, err := range other.Journal(t.Context(), at) {
				if err != nil {
					t.Fatal(err)
				}
				at = e.Position
			}
		}
	}
	if _, last, err := other.Bounds(t.Context()); err != nil || last != store.Position(n) {
		t.Fatalf("%d entries have a position, want %d: %v", last, n, err)
	}
	var plan []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
		Planning struct {
			Hit int `json:"Shared Hit Blocks"`
		}
	}
	var explained []byte
	err = c.Connect(t).QueryRow(t.Context(), "explain (analyze, buffers, format json) "+s.Poll(), int64(n), int64(1)<<62, int64(500)).Scan(&explained)
	if err == nil {
		err = json.Unmarshal(explained, &plan)
	}
	if err != nil {
		t.Fatal(err)
	}
	buffers := plan[0].Plan.Hit + plan[0].Plan.Read
	t.Logf("%d buffers a look beside %d entries under an open snapshot", buffers, n)
	if buffers > 500 {
		t.Errorf("one look reads %d buffers: %s", buffers, explained)
	}
	_ = tx.Rollback(t.Context())
}

// A commit that takes long gets its position however many others have got theirs since.
func TestLateCommitGetsAPosition(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	commitPiece(t, s, "a", 0)
	late := c.Connect(t)
	tx, err := late.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := store.NewEntryID(time.Now())
	_, err = tx.Exec(t.Context(), "insert into "+pgx.Identifier{schema, "entry"}.Sanitize()+
		" (id, arrived, integration, version, at, evidence, decision, status, took) values ($1, 1, '', 0, 0, '', '', 0, 0)", id.String())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		commitPiece(t, s, "a", uint64(i+1))
		if _, last, err := s.Bounds(t.Context()); err != nil || last != store.Position(i+2) {
			t.Fatalf("the journal ends at %d, %v", last, err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	found := false
	for e, err := range s.Journal(t.Context(), 21) {
		if err != nil {
			t.Fatal(err)
		}
		found = e.ID == id
	}
	if !found {
		t.Error("what was committed late has no position")
	}
}

// Everything gets its position in a cluster whose transactions have smaller numbers than
// those of the one where the dump was made.
func TestSnapshotOfAnotherCluster(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	commitPiece(t, s, "a", 0)
	if _, _, err := s.Bounds(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Connect(t).Exec(t.Context(), "update "+pgx.Identifier{schema, "bounds"}.Sanitize()+
		" set seen = '4000000000:4000000000:'")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		commitPiece(t, s, "a", uint64(i+1))
		if _, last, err := s.Bounds(t.Context()); err != nil || last != store.Position(i+2) {
			t.Fatalf("the journal ends at %d, %v", last, err)
		}
	}
}

// The views show JSON that a person, and a program, can read.
func TestViewsAreReadable(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	const said = `{"Name":"Hôtel \"Zur Süßen Möwe\" 🏨"}`
	_, err := s.Commit(t.Context(), store.Commit{
		Entry:  store.Entry{ID: store.NewEntryID(time.Now()), Integration: "straße", Evidence: []byte(said), Decision: []byte(said)},
		Record: []byte(said),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), store.Commit{ // no text: shown all the same
		Entry: store.Entry{ID: store.NewEntryID(time.Now()), Integration: "b", Evidence: []byte{0xff, 0}, Decision: []byte("{}")}, Record: []byte("{}"),
	})
	if err != nil {
		t.Fatal(err)
	}
	admin := c.Connect(t)
	for view, columns := range map[string]string{"journal": "integration, evidence, decision", "integrations": "id, record, record"} {
		of := strings.Split(columns, ", ")
		var id, a, b string
		err := admin.QueryRow(t.Context(), "select "+columns+" from "+pgx.Identifier{schema, view}.Sanitize()+
			" where "+of[0]+" = 'straße' and "+of[1]+"::jsonb ->> 'Name' like '%Möwe%'").Scan(&id, &a, &b)
		if err != nil || id != "straße" || a != said || b != said {
			t.Errorf("%s shows %q, %q, %q; %v", view, id, a, b, err)
		}
	}
}

// The database itself holds that an integration has one entry of a version.
func TestVersionIsUnique(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	commitPiece(t, s, "a", 0)
	_, err := c.Connect(t).Exec(t.Context(), "insert into "+pgx.Identifier{schema, "entry"}.Sanitize()+
		" (id, arrived, integration, version, at, evidence, decision, status, took) values (gen_random_uuid(), 1, 'a', 1, 0, '', '', 0, 0)")
	if code := (*pgconn.PgError)(nil); !errors.As(err, &code) || code.Code != "23505" {
		t.Errorf("a second entry of version 1: %v", err)
	}
}

// A schema of version 1 is brought up to date with entries in it that have no position yet,
// beside an instance that goes on committing.
func TestSchemaOfVersion1(t *testing.T) {
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	first, err := fs.ReadFile(pgstore.Migrations, "migrations/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	quoted := pgx.Identifier{schema}.Sanitize()
	text := strings.ReplaceAll(string(first), "schema if not exists keyrack;", "schema if not exists "+quoted+";")
	text = strings.ReplaceAll(text, "keyrack.", quoted+".")
	admin := c.Connect(t)
	if err := admin.PgConn().Exec(t.Context(), text).Close(); err != nil {
		t.Fatal(err)
	}
	former, err := admin.Prepare(t.Context(), "former", "insert into "+quoted+".entry"+
		" (id, arrived, integration, version, at, evidence, decision, status, took) values (gen_random_uuid(), $1, '', 0, 0, '', '', 0, 0)")
	if err != nil {
		t.Fatal(err)
	}
	add := func(at int) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), former.Name, at); err != nil {
			t.Fatal(err)
		}
	}
	for at := range 3 {
		add(at)
	}
	made := store.NewEntryID(time.Now())
	if _, err := admin.Exec(t.Context(), "insert into "+quoted+".integration (id, version, record, touched) values ('former', 1, '', 1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "insert into "+quoted+".entry (id, position, arrived, integration, version, at, evidence, decision, status, took) values ($1, 4, 1, 'former', 1, 0, '', '', 0, 0)", made.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), "update "+quoted+".bounds set last = 4"); err != nil {
		t.Fatal(err)
	}
	s := open(t, c.Socket(), &pgstore.Options{Schema: schema, NoListen: true})
	if _, last, err := s.Bounds(t.Context()); err != nil || last != 7 {
		t.Fatalf("the journal ends at %d, %v", last, err)
	}
	if stored, err := s.Load(t.Context(), "former"); err != nil || stored.Last != made {
		t.Errorf("version 1 was made by %v, want %v; %v", stored.Last, made, err)
	}
	if name, err := s.Incarnation(t.Context()); err != nil || name == "" {
		t.Errorf("incarnation %q, %v", name, err)
	}
	add(3) // by an instance that has not been replaced yet
	commitPiece(t, s, "a", 0)
	var got []store.Position
	for e, err := range s.Journal(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Position)
	}
	if len(got) != 6 || got[5] != 9 {
		t.Errorf("the journal has the positions %v", got)
	}
	if _, err := s.Owner(t.Context(), lifecycle.Digest{1}); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
