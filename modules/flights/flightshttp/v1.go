package flightshttp

import (
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"banyan/modules/flights"
	"banyan/modules/kernel/errs"
	"banyan/modules/kernel/idempotency"
	"banyan/modules/kernel/rest"
	"banyan/modules/kernel/web"
)

// maxFlightBody bounds a flight's body: a seat map of the widest aircraft fits.
const maxFlightBody = 256 << 10

// revalidate lets caches keep an answer and ask with If-None-Match each time.
const revalidate = "no-cache"

func (a api) airports(w http.ResponseWriter, r *http.Request) error {
	q, err := rest.ReadQuery(r, "country", "limit", "cursor")
	if err != nil {
		return err
	}
	limit, err := q.Int("limit", 1, flights.MaxLimit, flights.DefaultLimit)
	if err != nil {
		return err
	}
	page, err := a.svc.Airports(r.Context(), flights.AirportQuery{Country: q["country"], Limit: limit, Cursor: q["cursor"]})
	if err != nil {
		return err
	}
	if page.Airports == nil {
		page.Airports = []flights.Airport{}
	}
	web.JSON(w, http.StatusOK, page)
	return nil
}

// readSearch reads the parameters of a search, all as they are.
func readSearch(r *http.Request) (rest.Query, error) {
	return rest.ReadQuery(r, "origin", "destination", "departure_date", "passengers", "cabin", "carriers",
		"max_price", "currency", "nonstop", "sort", "limit", "cursor", "designator", "departure")
}

func (a api) search(w http.ResponseWriter, r *http.Request) error {
	q, err := readSearch(r)
	if err != nil {
		return err
	}
	if q.Has("designator") || q.Has("departure") {
		return a.byNumber(w, r, q)
	}
	c, err := criteria(q)
	if err != nil {
		return err
	}
	page, err := a.svc.Search(r.Context(), c)
	if err != nil {
		return err
	}
	if page.Flights == nil {
		page.Flights = []flights.Flight{}
	}
	web.JSON(w, http.StatusOK, page)
	return nil
}

func criteria(q rest.Query) (flights.Criteria, error) {
	passengers, err := q.Int("passengers", 1, 9, 0)
	if err != nil {
		return flights.Criteria{}, err
	}
	nonstop, err := q.Bool("nonstop")
	if err != nil {
		return flights.Criteria{}, err
	}
	limit, err := q.Int("limit", 1, flights.MaxLimit, flights.DefaultLimit)
	if err != nil {
		return flights.Criteria{}, err
	}
	return flights.Criteria{
		Origin: q["origin"], Destination: q["destination"], DepartureDate: q["departure_date"],
		Passengers: passengers, Cabin: flights.Cabin(q["cabin"]), Carriers: q.List("carriers"),
		MaxPrice: q["max_price"], Currency: q["currency"], Nonstop: nonstop,
		Sort: flights.Sort(q["sort"]), Limit: limit, Cursor: q["cursor"],
	}, nil
}

// byNumber is a search by designator: it finds one flight, and has no other criteria.
func (a api) byNumber(w http.ResponseWriter, r *http.Request, q rest.Query) error {
	designator, err := q.Need("designator")
	if err != nil {
		return err
	}
	for name := range q {
		if name != "designator" && name != "departure" {
			return errs.E(errs.Invalid, "the parameter %s cannot be combined with designator; only departure can", name).With("field", name)
		}
	}
	f, err := a.svc.ByNumber(r.Context(), designator, q["departure"])
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, flights.Page{Flights: []flights.Flight{f}})
	return nil
}

func (a api) schedule(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	key, err := idempotency.Key(r)
	if err != nil {
		return err
	}
	var f flights.NewFlight
	if err := web.Decode(w, r, maxFlightBody, &f); err != nil {
		return err
	}
	f.Key = key
	made, err := a.svc.Schedule(r.Context(), f)
	if err != nil {
		return err
	}
	rest.Replayed(w, made.Replayed)
	w.Header().Set("Location", "/v1/flights/"+url.PathEscape(made.FlightID))
	w.Header().Set("ETag", rest.VersionTag(made.Version))
	web.JSON(w, http.StatusCreated, made)
	return nil
}

func (a api) flight(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	f, err := a.svc.Flight(r.Context(), mux.Vars(r)["flight_id"])
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", revalidate)
	if !rest.NotModified(w, r, rest.VersionTag(f.Version)) {
		web.JSON(w, http.StatusOK, f)
	}
	return nil
}

func (a api) change(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	version, err := rest.IfMatch(r)
	if err != nil {
		return err
	}
	var p flights.Patch
	if err := web.Decode(w, r, maxFlightBody, &p); err != nil {
		return err
	}
	f, err := a.svc.Change(r.Context(), mux.Vars(r)["flight_id"], version, p)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", rest.VersionTag(f.Version))
	web.JSON(w, http.StatusOK, f)
	return nil
}

func (a api) seatMap(w http.ResponseWriter, r *http.Request) error {
	if err := rest.NoQuery(r); err != nil {
		return err
	}
	m, err := a.svc.SeatMap(r.Context(), mux.Vars(r)["flight_id"])
	if err != nil {
		return err
	}
	answerSeatMap(w, r, m)
	return nil
}

// answerSeatMap answers with the map, or 304; its ETag is the configuration, and the
// only place where the configuration travels.
func answerSeatMap(w http.ResponseWriter, r *http.Request, m flights.PublishedSeatMap) {
	w.Header().Set("Cache-Control", revalidate)
	if !rest.NotModified(w, r, rest.Tag(m.Configuration)) {
		web.Encoded(w, http.StatusOK, m.JSON)
	}
}
