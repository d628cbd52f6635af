// Starts GraphiQL on the admin endpoint that served the page.
'use strict';

const FIRST_QUERY = `# graphdb admin: write a request below and press Ctrl-Enter.
# The book in the left bar shows every operation with its description.
# A node that has a token wants it in the field above.
#
# Back up. The destination is a path on the node, s3:///bucket/folder or
# minio://host:9000/bucket/folder; left out, it is the node's default place:
#
#   mutation {
#     backup(input: {destination: "/srv/backups"}) {
#       response { code message }
#       taskId
#     }
#   }
#
# List the backups of a destination:
#
#   query {
#     listBackups(input: {location: "/srv/backups"}) {
#       backupId backupNum type since path encrypted
#     }
#   }
#
# Restore the newest series, or one by backupId up to backupNum,
# and see how far it is:
#
#   mutation { restore(input: {location: "/srv/backups"}) { code message restoreId } }
#   query { restoreStatus(restoreId: 1) { status errors } }

query Health {
  health {
    instance
    address
    status
    version
    uptime
    ongoing
  }
}
`;

const TOKEN_KEY = 'graphdb.admin.token';
const tokenField = document.getElementById('token');

// The token is kept until the tab is closed, and never in the headers that GraphiQL may store for longer.
tokenField.value = sessionStorage.getItem(TOKEN_KEY) || '';
tokenField.addEventListener('input', () => sessionStorage.setItem(TOKEN_KEY, tokenField.value));

async function send(request, options) {
  const headers = { Accept: 'application/json', 'Content-Type': 'application/json', ...(options && options.headers) };
  if (tokenField.value) headers['X-Dgraph-AuthToken'] = tokenField.value;
  const response = await fetch(window.location.pathname, {
    method: 'POST',
    headers,
    body: JSON.stringify(request),
    credentials: 'same-origin',
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `HTTP ${response.status}: ${text.slice(0, 1000) || 'no answer'}` }] };
  }
}

function Page() {
  // The schema is asked for again when the token has changed, because without it the first attempt was refused.
  const [generation, setGeneration] = React.useState(0);
  React.useEffect(() => {
    const reload = () => setGeneration((number) => number + 1);
    tokenField.addEventListener('change', reload);
    return () => tokenField.removeEventListener('change', reload);
  }, []);
  return React.createElement(GraphiQL, {
    key: generation,
    fetcher: send,
    defaultQuery: FIRST_QUERY,
    shouldPersistHeaders: false,
  });
}

if (window.React && window.ReactDOM && window.GraphiQL) {
  ReactDOM.createRoot(document.getElementById('graphiql')).render(React.createElement(Page));
} else {
  document.getElementById('failed').hidden = false;
}
