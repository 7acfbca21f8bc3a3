// Shows /openapi.json. Text goes in as text: nothing of it is taken for markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function table(head, rows) {
  const row = (kind, cells) => element("tr", {}, ...cells.map((cell) => element(kind, {}, cell)));
  return element(
    "table",
    {},
    element("thead", {}, row("th", head)),
    element("tbody", {}, ...rows.map((cells) => row("td", cells))),
  );
}

/** A short name of what a schema takes. */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.const !== undefined) return String(schema.const);
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.allOf) return schema.allOf.map(typeOf).join(" & ");
  if (schema.type === "array") return `${typeOf(schema.items ?? {})}[]`;
  if (schema.additionalProperties?.type || schema.additionalProperties?.$ref)
    return `{name: ${typeOf(schema.additionalProperties)}}`;
  if (schema.pattern) return `${schema.type} ${schema.pattern}`;
  if (schema.minimum !== undefined) return `${schema.type} ${schema.minimum} .. ${schema.maximum ?? ""}`;
  return schema.type ?? "anything";
}

/** A schema as an example of what it looks like, with the names of types for values. */
function outline(schema, schemas, seen = []) {
  if (schema.$ref) {
    const name = typeOf(schema);
    return seen.includes(name) ? name : outline(schemas[name], schemas, [...seen, name]);
  }
  if (schema.anyOf) {
    const [first, ...others] = schema.anyOf.map((one) => outline(one, schemas, seen));
    return typeof first === "object" ? first : [first, ...others].join(" | ");
  }
  if (schema.type === "array") return [outline(schema.items ?? {}, schemas, seen)];
  if (schema.properties)
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, one]) => [name, outline(one, schemas, seen)]),
    );
  if (typeof schema.additionalProperties === "object")
    return { name: outline(schema.additionalProperties, schemas, seen) };
  return typeOf(schema);
}

function shape(title, schema, schemas) {
  const text = JSON.stringify(outline(schema, schemas), null, 1);
  return [element("h4", {}, title), element("pre", {}, text)];
}

function operation(path, method, spec, schemas) {
  const inside = element("div", { class: "inside" });
  if (spec.security.length)
    inside.append(element("p", {}, `Needs: ${spec.security.flatMap(Object.keys).join(" or ")}`));
  if (spec.parameters.length)
    inside.append(
      element("h4", {}, "Parameters"),
      table(
        ["name", "in", "takes", ""],
        spec.parameters.map((one) => [
          element("code", {}, one.name),
          one.in,
          typeOf(one.schema),
          [one.description, one.schema.default !== undefined ? `default ${one.schema.default}` : ""]
            .filter(Boolean)
            .join("; "),
        ]),
      ),
    );
  const body = spec.requestBody?.content["application/json"]?.schema;
  if (body) inside.append(...shape("Body", body, schemas));
  const problems = [];
  for (const [status, response] of Object.entries(spec.responses)) {
    const schema = response.content["application/json"]?.schema;
    if (status.startsWith("2") && schema) inside.append(...shape(`Answer ${status}`, schema, schemas));
    else if (!status.startsWith("2")) problems.push([status, response.description]);
  }
  inside.append(element("h4", {}, "Problems"), table(["status", "codes"], problems));
  return element(
    "details",
    { id: spec.operationId },
    element(
      "summary",
      {},
      element("span", { class: "method" }, method.toUpperCase()),
      element("code", {}, path),
      element("small", {}, spec.summary),
    ),
    inside,
  );
}

async function show() {
  const about = document.getElementById("about");
  const answer = await fetch("/openapi.json");
  if (!answer.ok) {
    about.textContent = `The document cannot be had now: ${answer.status}`;
    return;
  }
  const api = await answer.json();
  about.replaceChildren(
    `${api.info.summary}. Version ${api.info.version}. `,
    element("a", { href: "/openapi.json" }, "openapi.json"),
  );
  for (const tag of api.tags) {
    const found = Object.entries(api.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]?.tags.includes(tag.name)).map((method) =>
        operation(path, method, item[method], api.components.schemas),
      ),
    );
    const area = element("section", { id: tag.name }, element("h2", {}, tag.description), ...found);
    document.getElementById("areas").append(area);
  }
  document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
}

show().catch((error) => {
  document.getElementById("about").textContent = `The document cannot be shown: ${error}`;
});
