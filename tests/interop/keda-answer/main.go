// keda-answer URL VALUE-LOCATION: how KEDA's metrics-api scaler would read the
// answer. It has the same client, time-out, parsers and rules as KEDA 2.21
// (pkg/scalers/metrics_api_scaler.go): one GET, exactly 200, and at the location a
// JSON number or a string that is a Kubernetes quantity. Prints the number, or
// ends with 1 and says why there is none.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/api/resource"
)

func number(url, location string) (float64, error) {
	client := &http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := gjson.GetBytes(body, location)
	if found.Type == gjson.String {
		quantity, err := resource.ParseQuantity(found.String())
		if err != nil {
			return 0, fmt.Errorf("%q is not a quantity", found.String())
		}
		return quantity.AsApproximateFloat64(), nil
	}
	if found.Type != gjson.Number {
		return 0, fmt.Errorf("at %q is %s, no number", location, found.Type)
	}
	return found.Num, nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: keda-answer URL VALUE-LOCATION")
		os.Exit(100)
	}
	value, err := number(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "keda-answer:", err)
		os.Exit(1)
	}
	fmt.Println(value)
}
