<%@ page session="false" contentType="application/json; charset=UTF-8" trimDirectiveWhitespaces="true"
    import="java.lang.management.ManagementFactory, java.sql.*, java.util.*, javax.management.*,
        javax.naming.InitialContext, javax.sql.DataSource" %>
<%-- The health as figures. Good only when the database has answered; 503 when it has not. --%>
<%
    response.setHeader("Cache-Control", "no-store");
    Map<String, Long> figures = new LinkedHashMap<>();
    try {
        DataSource source = (DataSource) new InitialContext().lookup("java:comp/env/jdbc/app");
        try (Connection database = source.getConnection(); Statement ask = database.createStatement()) {
            try (ResultSet rows = ask.executeQuery("SELECT COUNT(*) FROM notes")) {
                rows.next();
                figures.put("rows", rows.getLong(1));
            }
            try (ResultSet status = ask.executeQuery(
                    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Threads_connected', 'Questions')")) {
                Map<String, Long> seen = new HashMap<>();
                while (status.next()) {
                    seen.put(status.getString(1), status.getLong(2));
                }
                figures.put("db_uptime_s", seen.get("Uptime"));
                figures.put("db_threads", seen.get("Threads_connected"));
                figures.put("db_queries", seen.get("Questions"));
            }
        }
    } catch (SQLException error) {
        System.err.println("health: the database does not answer: " + error.getMessage());
        response.setStatus(503);
        out.print("{\"error\": \"the database does not answer\"}");
        return;
    }
    Runtime java = Runtime.getRuntime();
    figures.put("heap_mb", (java.totalMemory() - java.freeMemory()) >> 20);
    figures.put("heap_max_mb", java.maxMemory() >> 20);
    MBeanServer beans = ManagementFactory.getPlatformMBeanServer();
    long requests = 0;
    for (ObjectName name : beans.queryNames(new ObjectName("Catalina:type=GlobalRequestProcessor,*"), null)) {
        requests += (Integer) beans.getAttribute(name, "requestCount");
    }
    figures.put("requests", requests);
    StringJoiner answer = new StringJoiner(", ", "{", "}");
    figures.forEach((name, figure) -> answer.add("\"" + name + "\": " + figure));
    out.print(answer);
%>
